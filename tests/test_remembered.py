"""What took long to be worked out is remembered for other processes, and never in the place of what it would be now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.rulebook import load as loading
from detectors.rulebook.load import load, own_rules
from records import remembered
from records.remembered import place_of, program, recall, remember
from records.schema import TABLES
from records.wording import catalogue


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "balefire" / "remembered"


def test_it_is_what_was_remembered_and_each_has_its_place() -> None:
    place, other = place_of("kind", [b"one", b"two"]), place_of("kind", [b"onet", b"wo"])
    assert recall(place) is None
    remember(place, {"found": 1})
    assert recall(place) == {"found": 1}
    assert place != other
    assert place != place_of("another", [b"one", b"two"])


def test_what_was_torn_or_could_be_somebody_elses_is_not_read() -> None:
    place = place_of("kind", [b"one"])
    remember(place, list(range(1000)))
    place.chmod(0o666)
    assert recall(place) is None
    place.chmod(0o600)
    assert recall(place) == list(range(1000))
    os.truncate(place, 500)
    assert recall(place) is None
    place.write_bytes(b"no such thing")
    assert recall(place) is None


def test_of_others_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of("kind", [b"one"])
    remember(place, 1)
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    assert recall(place) is None


def test_where_nothing_can_be_written_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    place = place_of("kind", [b"one"])
    remember(place, 1)
    assert recall(place) is None


def test_the_oldest_go(elsewhere: Path) -> None:
    places = [place_of("kind", [b"%d" % number]) for number in range(remembered.MOST + 3)]
    for number, place in enumerate(places):
        remember(place, number)
        os.utime(place, (number, number))
    remember(places[0], 0)
    assert recall(places[0]) == 0
    assert recall(places[1]) is None
    assert len(list((elsewhere / "kind").iterdir())) == remembered.MOST


def test_it_depends_on_every_line_that_works_it_out() -> None:
    said = list(program(["records"], ["pyarrow"]))
    assert Path(remembered.__file__).read_bytes() in said
    assert all((Path(remembered.__file__).parent / name).read_bytes() in said for name in ("store/contract.py", "wording/detectors.toml", "effects.py"))


def _unread(*_: object) -> None:
    pytest.fail("read again")


def test_the_rulebook_that_is_recalled_is_the_one_that_is_read(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "broken.yml").write_text("id: broken\n")
    (own / "classes.yml").write_text("classes: 7\n")
    paths = (own_rules(), own)
    monkeypatch.setattr(loading, "SOON_S", 0.0)
    loading._kept.cache_clear()  # pyright: ignore[reportPrivateUsage] - as another process
    read = load(paths)
    (kept,) = (elsewhere / "rules").iterdir()
    loading._kept.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(loading, "_read", _unread)
    recalled = load(paths)
    assert recalled == read
    assert recalled is not read
    assert recalled.problems
    assert all(rule.table is TABLES[rule.table.name] for rule in recalled.rules)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (own / "broken.yml").write_text("id: broken\ntitle: x\n")
    assert load(paths).problems != read.problems
    assert kept.exists()


def test_texts_that_are_recalled_are_those_of_the_catalogues(elsewhere: Path) -> None:
    now = catalogue()
    catalogue.cache_clear()
    read = catalogue()
    assert (elsewhere / "wording").is_dir()
    catalogue.cache_clear()
    assert catalogue() == read == now
