"""TLS, users and the roles that we ship: each may do what it is for, and nothing else."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from elasticsearch import AuthorizationException

from deploy.elasticsearch.server import Security
from records.errors import BalefireError
from records.query import Query
from records.search import Match
from records.store import open_store
from records.store.cluster import address
from records.store.contract import Change, Commit
from records.store.elastic import ElasticStore
from records.store.examining import checks
from records.store.spool import places_of
from tests.cli import balefire, one, short
from tests.elasticsearch import cluster
from tests.test_store import DAY, MAC, NOON, activities, activity, alert, evidence, full_commit, ids
from tests.test_store import known as asset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.elasticsearch


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Security]]:
    """A server of its own; (address of a store in it that holds a commit, its security)"""
    folder = tmp_path_factory.mktemp("secured")
    security = Security(folder / "ca.pem")
    with cluster(security=security) as (running, _), pytest.MonkeyPatch.context() as patch:
        set_up(patch, security, "admin", folder)
        store = ElasticStore(running.url, True, "month")
        store.write(full_commit())
        store.close()
        yield running.url, security


def set_up(patch: pytest.MonkeyPatch, security: Security, user: str, folder: Path) -> None:
    (folder / "password").write_text(security.password + "\n")
    patch.setenv("BALEFIRE_SPOOL", str(folder / "spool"))
    patch.setenv("BALEFIRE_ELASTICSEARCH_USER", user)
    patch.setenv("BALEFIRE_ELASTICSEARCH_PASSWORD_FILE", str(folder / "password"))
    patch.setenv("BALEFIRE_ELASTICSEARCH_CA", str(security.certificate))


@pytest.fixture
def known(secured: tuple[str, Security], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], str]:
    """Makes us one of the users; the store's address."""

    def become(user: str) -> str:
        set_up(monkeypatch, secured[1], user, tmp_path)
        return secured[0]

    return become


def refused(action: Callable[[], object], key: str) -> None:
    with pytest.raises(BalefireError) as caught:
        action()
    assert caught.value.key == key, str(caught.value)


def _not_current(*_: object) -> bool:
    return False


def test_a_reader_reads(known: Callable[[str], str], tmp_path: Path) -> None:
    where = known("reader")
    store = open_store(where)
    assert store.count("activity", Query()) >= 20
    assert store.alerts(["al1"])[0].id == "al1"
    assert store.read("activity", Query(limit=3)).num_rows == 3
    refused(lambda: store.change([Change("alert", "al1", None, "note", "Li", note="x")]), "elastic.forbidden")
    store.close()
    writer = open_store(where, True)
    refused(lambda: writer.write(activities(activity(500))), "elastic.forbidden")
    writer.close()
    told = balefire("replay", short(tmp_path), "--store", where)
    assert (told.exit_code, "balefire_writer" in told.stderr, "create_doc on balefire-activity-*" in told.stderr) == (4, True, True), told.output
    assert not [path for place in places_of("balefire") for path in place.glob("*/*.segment")], "nothing waits for somebody who may"
    told = balefire("store", "doctor", "--store", where)
    assert told.exit_code == 0, told.output
    looking = ElasticStore(where)
    looking.place = address("http://10.0.0.1:9200")  # as if it had been reached so
    assert [check.name for check in checks(looking, where) if not check.well] == ["private"]
    looking.close()


def test_a_writer_writes_and_drops_nothing(known: Callable[[str], str]) -> None:
    store = open_store(known("writer"), True)
    store.check_rights()
    assert store.write(Commit(activities(activity(600), activity(601, NOON + 400 * DAY)).batch, alerts=(alert(6),))).new == 2
    assert store.write(activities(activity(600))).known == 1
    told = store.count("audit", Query())
    refused(lambda: store.retire(1 << 62), "elastic.forbidden")
    assert store.count("audit", Query()) == told, "what did not happen is not told"
    assert store.count("activity", Query(since=NOON + 400 * DAY)) == 1
    store.close()
    refused(lambda: open_store(f"{known('writer')}#other", True), "elastic.outside")
    refused(lambda: open_store(f"{known('writer')}#balefire-other", True), "elastic.privilege")


def test_a_writer_deletes_what_it_put_aside_and_no_row(known: Callable[[str], str]) -> None:
    """All that a sensor does that deletes documents: what was staged, assets that are another one, packets past their bounds."""
    store = ElasticStore(known("writer"), True)
    store.write(replace(full_commit(), evidence=(evidence(1, b"packets"),)))
    for assets in ((asset("10.0.0.5", MAC),), (asset("10.0.1.5"),), (asset(MAC, "10.0.1.5", first=NOON + 6),)):
        store.write(Commit(assets=assets))
    assert store.count("asset", Query(where=Match("id", asset("10.0.1.5").id))) == 0, "it is the first one"
    assert store.packets("f1") == b"packets"
    store.thin(0, 0)
    assert store.packets("f1") is None
    store.change([Change("alert", "al1", None, "note", "Li", note="x")])
    client = store.cluster.client
    client.indices.refresh(index="balefire-staged,balefire-packets")
    assert client.count(index="balefire-staged,balefire-packets")["count"] == 0
    for index in ("balefire-activity", "balefire-point", "balefire-finding", "balefire-coverage", "balefire-audit", "balefire-alert", "balefire-evidence"):
        hit = client.search(index=index, size=1)["hits"]["hits"][0]
        with pytest.raises(AuthorizationException):
            client.delete(index=hit["_index"], id=hit["_id"])
        assert client.exists(index=hit["_index"], id=hit["_id"]), index
    store.close()


def test_an_analyst_decides_and_writes_no_rows(known: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    where = known("analyst")
    with monkeypatch.context() as patch:
        for module in ("elastic", "making"):
            patch.setattr(f"records.store.{module}.current", _not_current)  # a store of an earlier version: an analyst cannot bring it up to date
        older = open_store(where)
        refused(lambda: older.change([Change("alert", "al1", None, "note", "Li", note="x")]), "elastic.outdated")
        older.close()
    store = open_store(where)
    (before,) = store.alerts(["al1"])
    store.change([Change("alert", "al1", before.revision, "assign", "Li", {"assignee": "Wang"})])
    assert store.alerts(["al1"])[0].assignee == "Wang"
    store.close()
    named = f"{known('admin')}#balefire-plant-7"  # the shipped roles cover it as it is
    made = open_store(named, True)
    made.write(Commit(alerts=(alert(1),)))
    made.close()
    known("analyst")
    other = open_store(named)
    other.change([Change("alert", "al1", alert(1).revision, "assign", "Li", {"assignee": "Wang"})])
    other.close()
    writer = open_store(where, True)
    for barred in (writer.check_rights, lambda: writer.write(activities(activity(700)))):
        refused(barred, "elastic.forbidden")
    assert "a0700" not in ids(writer.read("activity", Query()))
    writer.close()


def test_a_closed_index_is_listed_to_whoever_looks(known: Callable[[str], str]) -> None:
    """Of two under one alias, asked by a user whose roles a server has to look through."""
    where = known("admin")
    store = ElasticStore(where, True)
    store.write(activities(activity(850, NOON + 40 * DAY)))
    first = sorted(store.cluster.client.indices.get_alias(name="balefire-activity").body)[0]
    store.cluster.client.indices.close(index=first)
    known("reader")
    try:
        told = one("store", "doctor", "--store", where, status=1)["checks"]
        assert [first in check["advice"] for check in told if check["check"] == "closed"] == [True]
    finally:
        store.cluster.client.indices.open(index=first)
        store.close()


def test_an_admin_retires(known: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(known("admin"), True)
    before = set(ids(store.read("activity", Query())))
    with monkeypatch.context() as patch:
        patch.setattr("time.time_ns", lambda: NOON - 2990 * DAY)  # it was written as long ago
        assert store.write(activities(activity(800, NOON - 3000 * DAY), activity(801, NOON - 3000 * DAY))).new == 2
    assert store.write(activities(activity(802, NOON - 2000 * DAY))).new == 1
    assert store.retire(NOON - 3100 * DAY) == {}
    assert store.retire(NOON - 1900 * DAY) == {"activity": 2}, "the other was written just now"
    assert set(ids(store.read("activity", Query()))) == before | {"a0802"}
    assert not store.retire(NOON - 1900 * DAY)
    store.close()


def test_who_is_not_known(known: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    where = known("nobody")
    refused(lambda: open_store(where), "elastic.unauthorized")
    for name in ("USER", "PASSWORD_FILE"):
        monkeypatch.delenv(f"BALEFIRE_ELASTICSEARCH_{name}")
    refused(lambda: open_store(where), "elastic.unauthorized")
    told = balefire("alerts", "--store", where)
    assert told.exit_code == 4
    assert "BALEFIRE_ELASTICSEARCH_PASSWORD_FILE" in told.stderr


def test_the_server_has_to_be_known_too(known: Callable[[str], str], secured: tuple[str, Security], monkeypatch: pytest.MonkeyPatch) -> None:
    where = known("reader")
    monkeypatch.delenv("BALEFIRE_ELASTICSEARCH_CA")
    refused(lambda: open_store(where), "elastic.tls_authority")
    plain = where.replace("https:", "http:")
    refused(lambda: open_store(plain), "elastic.disconnected")
    certificate = ssl.PEM_cert_to_DER_cert(secured[1].certificate.read_text())
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_FINGERPRINT", hashlib.sha256(certificate).hexdigest())
    open_store(where).close()
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_FINGERPRINT", "00" * 32)
    refused(lambda: open_store(where), "elastic.tls_fingerprint")
