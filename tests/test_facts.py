"""Facts of assets: which counts, what changed, how much is kept; and assets made of them, in whatever order they come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from records.assets import asset_of, merged, without
from records.facts import ADDRESS, MOST_FACTS, MOST_VALUES, Fact, asset_id, changes, current, keys_of, serial_keys, united
from records.model import Asset, Conflict
from records.store.rows import asset_from, asset_row
from tests.examples import as_many

MAC, OTHER = "00:1b:1b:00:00:01", "00:1b:1b:00:00:02"


def fact(name: str, value: str, source: str = "modbus:identity", confidence: int = 95, first: int = 0, last: int = 0) -> Fact:
    """One fact."""
    return Fact(name, value, source, confidence, first, max(first, last))


def address(value: str, first: int = 0, confidence: int = 80) -> Fact:
    """One address."""
    return fact(ADDRESS, value, "arp", confidence, first)


def test_what_is_believed_most_counts_then_what_is_said_last() -> None:
    facts = [fact("vendor", "Card maker", "oui", 50, last=9), fact("vendor", "Acme", last=5), fact("vendor", "Acme Ltd", last=7)]
    assert current(facts)["vendor"].value == "Acme Ltd"
    assert current(facts[:2])["vendor"].value == "Acme"


def test_a_change_is_what_one_source_said_first_and_then_no_more() -> None:
    facts = [fact("firmware", "2.1", first=1, last=4), fact("firmware", "2.3", first=6, last=9), fact("firmware", "9", "lldp", 80, 2)]
    assert [(change.before, change.after, change.time) for change in changes(facts)] == [("2.1", "2.3", 6)]
    both = [fact("firmware", "2.1", first=1, last=9), fact("firmware", "2.3", first=6, last=8)]
    assert changes(both) == []


def test_the_same_fact_again_is_one_fact() -> None:
    assert united([fact("model", "X", first=5), fact("model", "X", first=1, confidence=60), fact("model", "X", first=9)]) == (
        fact("model", "X", first=1, last=9),
    )


def test_facts_are_bounded_and_the_first_stays() -> None:
    many = [fact("name", f"n{number:03}", first=number) for number in range(300)]
    kept = united(many)
    assert [each.value for each in kept] == ["n000", *(f"n{number:03}" for number in range(300 - MOST_VALUES + 1, 300))]
    everything = united([*(fact(f"f{number}", "x", confidence=1) for number in range(300)), address("10.0.0.1")])
    assert len(everything) == MOST_FACTS
    assert address("10.0.0.1") in everything


def test_a_serial_number_is_a_key_where_it_is_one() -> None:
    told = [fact("serial", "S C-X4U302", "s7comm:identity"), fact("model", "315", "s7comm:identity")]
    assert len(serial_keys(told)) == 1
    for value in ("0000", "FFFFFFFF", "12"):
        assert serial_keys([fact("serial", value)]) == []
    assert serial_keys([fact("serial", "12345", "modbus:identity/3")]) == [], "of a unit behind a gateway"


def test_an_asset_is_called_by_its_first_ip_address() -> None:
    asset = asset_of("north", [address(MAC), address("10.0.0.9", 3), address("10.0.0.2", 5)], 0, 9)
    assert asset.id == asset_id("north", "10.0.0.9")
    assert (asset.name, asset.addresses) == ("10.0.0.2", ("10.0.0.2", "10.0.0.9", MAC))
    assert set(asset.aliases) == {asset_id("north", "10.0.0.2"), asset_id("north", MAC)}
    named = asset_of("north", [address(MAC), fact("name", "plc-1", "lldp", 80)], 0, 9)
    assert (named.name, named.id) == ("plc-1", asset_id("north", MAC))


def test_a_weak_mac_address_is_shown_and_is_no_key() -> None:
    assert keys_of(None, [address(MAC, confidence=50), address("10.0.0.1", confidence=50)]) == [asset_id(None, "10.0.0.1")]


FACTS = st.lists(
    st.builds(
        fact, st.sampled_from(["vendor", "firmware", "name"]), st.sampled_from("abcde"), st.sampled_from(["x:identity", "lldp"]),
        st.sampled_from([50, 80, 95]), st.integers(0, 9), st.integers(0, 9),
    ),
    max_size=6,
)  # fmt: skip


def built(facts: list[Fact], first: int, last: int) -> Asset:
    """An asset with one address and these facts."""
    return asset_of(None, [address("10.0.0.1", 1), *facts], first, first + last)


ASSETS = st.builds(built, FACTS, st.integers(0, 5), st.integers(0, 5))


@settings(max_examples=as_many(60), deadline=None)
@given(ASSETS, ASSETS, ASSETS)
def test_merging_does_not_depend_on_the_order(one: Asset, two: Asset, three: Asset) -> None:
    whole = merged([one, two, three])
    assert merged([three, merged([two, one])]) == whole
    assert merged([whole, two]) == whole


def test_what_turned_out_to_be_anothers_goes() -> None:
    asset = asset_of(None, [address("10.0.0.1"), address("10.0.0.2"), fact("vendor", "Acme")], 0, 1)
    rest = without(asset, {asset_id(None, "10.0.0.2"): 1})
    assert rest is not None
    assert (rest.addresses, rest.vendor, rest.aliases) == (("10.0.0.1",), "Acme", ())
    assert without(asset, {asset_id(None, "10.0.0.1"): 1, asset_id(None, "10.0.0.2"): 1}) is None


def test_a_row_gives_the_asset_back() -> None:
    conflict = Conflict("10.0.0.1", OTHER, "contested", 3, 4)
    asset = asset_of("north", [address("10.0.0.1"), address(MAC), fact("level", "1", "role", 40)], 1, 2, ["modbus"], [conflict])
    again = asset_from(asset_row(asset))
    assert (again.facts, again.conflicts, again.id, again.level) == (asset.facts, asset.conflicts, asset.id, 1)
