"""Who talks to whom: the graph of assets, zones and conduits, and what other programs get of it."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from detectors.graph import GRAPHML, Edge, Graph, Node, as_graphml, as_json, as_stix
from tests.cli import DEMO, balefire, listed, one, stored

if TYPE_CHECKING:
    from pathlib import Path

stix2: Any = import_module("stix2")  # it has no types
NASTY = '<script>"\x1b[31m\x00\u202e]]>&'


def printed(form: str, *words: str) -> str:
    result = balefire("graph", "--store", listed(), "--format", form, *words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_of_assets_shows_what_was_told_of_their_places() -> None:
    """Zone, level and criticality have a column where any is known; without a list there is no column of nothing."""
    told = balefire("assets", "--store", listed(), "--language", "en").output
    assert re.search(r"Role +Zone +Level +Criticality +First seen", told)
    assert re.search(r"^Pump PLC .* controller +Pumps +1 +critical ", told, re.MULTILINE)
    assert re.search(r"^Pump PLC .* Pumps +1 +关键 ", balefire("assets", "--store", listed(), "--language", "zh").output, re.MULTILINE)
    assert re.search(r"Role +Level +First seen", balefire("assets", "--store", stored()[0], "--language", "en").output)


def test_edges_are_the_operations_of_the_activities() -> None:
    made = json.loads(printed("json"))
    names = {node["id"]: node for node in made["nodes"]}
    edges = {(names[edge["source"]]["name"], names[edge["destination"]]["name"]): edge for edge in made["edges"]}
    told = one("replay", DEMO, "--store", listed())
    assert sum(edge["count"] for edge in made["edges"]) == told["operations"]
    assert edges["10.20.1.66", "Pump PLC"]["effects"]["restriction.listen_only"] == 1
    assert (names[edges["Panel", "Pump PLC"]["source"]]["role"], names[edges["Panel", "Pump PLC"]["source"]]["level"]) == ("hmi", 2)
    conduits = {(edge["source"], edge["destination"]): edge["count"] for edge in made["conduits"]}
    zones = {zone["name"]: zone["assets"] for zone in made["zones"]}
    assert {node["id"]: node["zone"] or "" for node in made["nodes"]} == {asset: zone for zone, assets in zones.items() for asset in assets}
    assert {end for edge in conduits for end in edge} <= zones.keys()
    assert {zone["name"]: zone["levels"] for zone in made["zones"]}["Pumps"] == [1]
    assert conduits["Control room", "Pumps"] == edges["Panel", "Pump PLC"]["count"]
    assert sum(conduits.values()) == told["operations"]
    assert (made["first"][:16], made["last"][:16], made["cut"]) == ("2026-11-22T16:39", "2026-11-22T16:44", False)


def test_a_search_and_a_time_narrow_it() -> None:
    made = json.loads(printed("json", "--where", "ot.access:write", "--since", "2026-11-22T16:43:00"))
    assert {effect for edge in made["edges"] for effect in edge["effects"]} == {"value.write"}
    assert made["first"] >= "2026-11-22T16:43"


def test_graphml_is_what_its_readers_expect() -> None:
    root = ElementTree.fromstring(printed("graphml").encode())
    spaces = {"g": GRAPHML}
    nodes = {node.get("id"): {data.get("key"): data.text for data in node} for node in root.findall(".//g:node", spaces)}
    edges = [(edge.get("source"), edge.get("target")) for edge in root.findall(".//g:edge", spaces)]
    made = json.loads(printed("json"))
    kinds = [values["n-kind"] for values in nodes.values()]
    assert kinds.count("asset") == len(made["nodes"])
    told = [{data.get("key"): data.text for data in edge} | edge.attrib for edge in root.findall(".//g:edge", spaces)]
    conduits = {(nodes[edge["source"]]["n-name"], nodes[edge["target"]]["n-name"]): edge["e-count"] for edge in told if edge["e-kind"] == "conduit"}
    assert conduits == {(each["source"] or "(no zone)", each["destination"] or "(no zone)"): str(each["count"]) for each in made["conduits"]}
    assert conduits["Control room", "Pumps"] is not None
    assert {nodes[edge["source"]]["n-kind"] for edge in told if edge["e-kind"] == "traffic"} == {"asset"}
    assert all(source in nodes and target in nodes for source, target in edges)
    assert "Pump PLC" in {values["n-name"] for values in nodes.values()}
    declared = {key.get("id") for key in root.findall("g:key", spaces)}
    assert {name for values in nodes.values() for name in values} <= declared


def test_stix_is_valid_and_its_identifiers_are_those_of_the_standard() -> None:
    bundle: Any = stix2.parse(printed("stix"))
    kinds = [each.type for each in bundle.objects]
    zones = {each.id: each.name for each in bundle.objects if each.type == "infrastructure" and each.get("description", "").startswith("zone")}
    assert (kinds.count("infrastructure") - len(zones), kinds.count("mac-addr")) == (9, 8)  # ARP asks everybody on the link, who is no asset and has no address
    assert kinds.count("network-traffic") == 23  # 8 over Modbus, and ARP between neighbours
    for each in bundle.objects:
        if each.type in ("ipv4-addr", "mac-addr", "network-traffic"):
            content = {name: value for name, value in json.loads(each.serialize()).items() if name not in ("id", "type", "spec_version")}
            assert type(each)(**content).id == each.id
    known = {each.id for each in bundle.objects}
    links = [each for each in bundle.objects if each.type == "relationship"]
    assert all(link.source_ref in known and link.target_ref in known for link in links)
    assert printed("stix") == printed("stix")
    made = json.loads(printed("json"))
    crossing = {(link.source_ref, link.target_ref) for link in links if link.relationship_type == "communicates-with" and link.source_ref in zones}
    told = {(edge["source"] or "(no zone)", edge["destination"] or "(no zone)") for edge in made["conduits"] if edge["source"] != edge["destination"]}
    assert {(zones[source], zones[target]) for source, target in crossing} == told != set()
    within = [(link.source_ref, link.target_ref) for link in links if link.relationship_type == "consists-of" and link.source_ref in zones]
    assert len(within) == len({asset for _, asset in within}) == len(made["nodes"])


@pytest.mark.parametrize("form", [as_json, as_graphml, as_stix])
def test_hostile_names_stay_text(form: Any) -> None:
    graph = Graph(
        (Node("a", NASTY, ("10.0.0.1",), vendor=NASTY), Node("b", "", ("fd00::1",))), (Edge("a", "b", 1, {"modbus": 1}, {"x": 1}),), (), None, None, False
    )
    text = form(graph)
    if form is as_graphml:
        root = ElementTree.fromstring(text.encode())
        assert root.find(f".//{{{GRAPHML}}}script") is None
        assert '<script>"\\u001b[31m\\u0000\u202e]]>&' in {data.text for data in root.iter(f"{{{GRAPHML}}}data")}
    else:
        assert "\x1b" not in text
        told = json.loads(text)
        assert NASTY in [each.get("name") for each in told.get("nodes", told.get("objects"))]


def test_people_see_conduits_and_assets(tmp_path: Path) -> None:
    shown = balefire("graph", "--store", listed(), "--language", "zh").output
    assert "区域之间" in shown
    assert "（无区域）" in shown
    assert "读取数值、操作输出、写入数值" in shown, "effects in words"
    assert next(line.split()[1:4] for line in shown.splitlines() if "所有主机" in line and "arp" in line) == ["所有主机", "arp", "网络服务"]
    bare = balefire("graph", "--store", stored()[0], "--language", "zh").output
    assert "区域之间" not in bare, "where no asset has a zone there is nothing between zones"
    refused = balefire("graph", "--store", listed(), "-o", tmp_path / "no" / "such.json")
    assert (refused.exit_code, "such.json" in refused.output) == (2, True)
    assert one("graph", "--store", listed(), "--where", "ot.access:none-such")["edges"] == []


def test_without_zones_there_are_no_conduits_to_draw() -> None:
    graph = Graph((Node("a", "A"), Node("b", "B")), (Edge("a", "b", 1, {"modbus": 1}, {"x": 1}),), (Edge("", "", 1),), None, None, False)
    assert "zone " not in as_graphml(graph)
    assert [each["name"] for each in json.loads(as_stix(graph))["objects"] if each["type"] == "infrastructure"] == ["A", "B"]
