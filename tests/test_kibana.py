"""What is shipped for Kibana: no Kibana is to be had here, so its form is checked, its fields, and what its panels ask of a real server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from records.effects import ACCESSES
from records.schema import TABLES
from records.store import open_store
from records.store.kibana import VERSIONS, WIDTH, file
from records.store.templates import Names, components, templates
from records.wording import LANGUAGES
from tests.test_store import full_commit

if TYPE_CHECKING:
    from tests.elasticsearch import Elasticsearch

HERE: Final = Path(__file__).parents[1] / "deploy" / "kibana"
STATUSES: Final = {"open", "acknowledged", "in_progress", "closed"}
Body = dict[str, Any]


def read(language: str) -> list[Body]:
    return [json.loads(line) for line in (HERE / f"balefire-{language}.ndjson").read_text("utf-8").splitlines()]


def asked(panel: Body) -> tuple[str, list[Body], list[str]]:
    """(the query of a panel, its aggregations, its columns)"""
    source = json.loads(panel["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["query"]["language"] == "kuery"
    if panel["type"] == "search":
        return source["query"]["query"], [], [*panel["attributes"]["columns"], *(name for name, _ in panel["attributes"]["sort"])]
    return source["query"]["query"], json.loads(panel["attributes"]["visState"])["aggs"], []


def table_of(panel: Body) -> str:
    (view,) = panel["references"]
    assert (view["name"], view["type"]) == (json.loads(panel["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["indexRefName"], "index-pattern")
    return str(view["id"]).rpartition("-")[2]


def mapped(table: str, field: str) -> Body:
    """What the index template says of a field. Raises KeyError where it does not know it."""
    branch = components(Names("balefire"))[f"balefire-{table}@mappings"]["template"]["mappings"]
    for step in field.split("."):
        branch = branch["properties"][step]
    return branch


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_files_are_current(language: str) -> None:
    assert (HERE / f"balefire-{language}.ndjson").read_text("utf-8") == file(language), "run: python -m records.store.kibana deploy/kibana"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_referred_to_comes_before(language: str) -> None:
    seen: set[tuple[str, str]] = set()
    for each in read(language):
        assert set(each) == {"id", "type", "attributes", "references", "coreMigrationVersion", "typeMigrationVersion"}
        assert each["typeMigrationVersion"] == VERSIONS[each["type"]]
        assert (each["type"], each["id"]) not in seen
        assert {(other["type"], other["id"]) for other in each["references"]} <= seen
        assert each["attributes"]["title"]
        seen.add((each["type"], each["id"]))
    others = {each["id"] for code in LANGUAGES if code != language for each in read(code)}
    assert not others & {name for _, name in seen}, "both may be imported"


@pytest.mark.parametrize("language", LANGUAGES)
def test_data_views_are_of_indices_that_there_are(language: str) -> None:
    made = templates(Names("balefire"))
    for view in (each for each in read(language) if each["type"] == "index-pattern"):
        title = view["attributes"]["title"]
        table = TABLES[title.removeprefix("balefire-")]
        assert title in made
        assert view["attributes"]["timeFieldName"] == table.time
        assert mapped(table.name, table.time)["type"] == "date_nanos"
        assert set(json.loads(view["attributes"]["fieldAttrs"])) == set(table.names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_is_one_that_can_be_asked(language: str) -> None:
    panels = [each for each in read(language) if each["type"] in {"visualization", "search"}]
    assert len(panels) > 15
    for panel in panels:
        table = table_of(panel)
        query, aggregations, columns = asked(panel)
        named = [*columns, *(aggregation["params"]["field"] for aggregation in aggregations if aggregation["type"] != "count")]
        named += re.findall(r"([\w.@]+) (?::|>=|<=)", query)
        for name in named:
            assert TABLES[table].field(name), (panel["id"], name)
            assert mapped(table, name).get("enabled", True), (panel["id"], name)
        for aggregation in aggregations:
            kind = mapped(table, aggregation["params"]["field"])["type"] if aggregation["type"] != "count" else "long"
            assert {"sum": {"long", "double"}, "date_histogram": {"date_nanos"}}.get(aggregation["type"], {kind}) >= {kind}, panel["id"]
        for access in re.findall(r"ot\.access : \(([^)]*)\)", query):
            assert set(access.split(" or ")) <= set(ACCESSES)
        assert set(re.findall(r"status : (\w+)", query)) <= STATUSES
        assert [aggregation["id"] for aggregation in aggregations] == [str(number + 1) for number in range(len(aggregations))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_panels_stand_side_by_side(language: str) -> None:
    boards = [each for each in read(language) if each["type"] == "dashboard"]
    assert len(boards) == 4
    for board in boards:
        panels: list[Body] = json.loads(board["attributes"]["panelsJSON"])
        named = {reference["name"]: reference for reference in board["references"]}
        assert {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels} == set(named)
        assert all(named[f"{panel['panelIndex']}:{panel['panelRefName']}"]["type"] == panel["type"] for panel in panels)
        taken: set[tuple[int, int]] = set()
        for place in (panel["gridData"] for panel in panels):
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not cells & taken
            assert place["x"] + place["w"] <= WIDTH
            taken |= cells
        assert json.loads(board["attributes"]["optionsJSON"])["useMargins"]


@pytest.mark.elasticsearch
def test_a_real_server_answers_what_panels_ask(elasticsearch: Elasticsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their aggregations, nested as Kibana nests them."""
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))
    where = elasticsearch.emptied("battery")
    store = open_store(where, True)
    store.write(full_commit())
    store.close()
    found: dict[str, int] = {}
    for panel in (each for each in read("en") if each["type"] == "visualization"):
        body: Body = {}
        for each in reversed(asked(panel)[1]):
            parameters = each["params"]
            if each["type"] == "sum":
                body["1" if each["id"] == "1" else each["id"]] = {"sum": {"field": parameters["field"]}}
            elif each["type"] != "count":
                asks = {"fixed_interval": "1h"} if each["type"] == "date_histogram" else {"size": parameters["size"]}
                body = {each["id"]: {each["type"]: {"field": parameters["field"], **asks}, **({"aggs": body} if body else {})}}
        index = f"{where.rpartition('#')[2]}-{table_of(panel)}"
        answer = elasticsearch.ask("POST", f"/{index}/_search?ignore_unavailable=true", {"size": 0, "aggs": body} if body else {"size": 0})
        found[panel["id"]] = sum(len(told.get("buckets", ())) for told in answer.get("aggregations", {}).values())
    assert found["balefire-en-access"] > 0
    assert found["balefire-en-sources"] > 0
    assert found["balefire-en-gravest"] > 0
