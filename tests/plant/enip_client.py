"""A client on cpppo, then one on pycomm3: `python -m tests.plant.enip_client ADDRESS DIARY` does its list and writes down what the stacks said of it.

cpppo is GPL: it runs in a process of its own.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any, TypedDict

from tests.plant.network import exact_checksums

cpppo: Any = importlib.import_module("cpppo.server.enip.client")  # neither has types
pycomm3: Any = importlib.import_module("pycomm3")
SINGLE = ("Tank[0-4]", "Tank[3]=(INT)42", "Level[1]=(REAL)2.5", "Level[1]", "Count[2-4]=(DINT)1,2,3", "Motor[0]=(SINT)-5", "Motor[0]")
PACKET = ("Tank[3]", "Tank[3]=(INT)43", "Level[1]", "Nobody[1]")
TAGS = {"Tank": ("INT", 10), "Level": ("REAL", 4), "Count": ("DINT", 20), "Motor": ("SINT", 3)}


class Deed(TypedDict):
    """What a client asked its stack for, and what that said of it."""

    action: str
    name: str | None
    first: int
    last: int
    values: list[float]
    done: bool


def by_cpppo(address: str, diary: list[Deed]) -> None:
    """Reads and writes one by one, in a packet, and in fragments."""
    for words, ways, of_parsing in ((SINGLE, {}, {}), (PACKET, {"multiple": 250}, {}), (("Count[0-19]",), {"fragment": True}, {"fragment": True})):
        with cpppo.connector(host=address, port=44818, timeout=5) as connection:
            operations = list(cpppo.parse_operations(words, **of_parsing))
            for word, (*_, status, value) in zip(words, connection.synchronous(operations=operations, **ways), strict=True):
                tag, _, written = word.partition("=")
                name, _, span = tag.rstrip("]").partition("[")
                first, _, last = span.partition("-")
                values = [float(part) for part in written.rpartition(")")[2].split(",")] if written else list(value or [])
                action = ("write_tag" if written else "read_tag") + ("_fragmented" if of_parsing else "")
                diary.append({"action": action, "name": name, "first": int(first), "last": int(last or first), "values": values, "done": status == 0})


def by_pycomm3(address: str, diary: list[Deed]) -> None:
    """Over a connection of its own: tags, the identity object and the network interface."""
    driver = pycomm3.LogixDriver(f"{address}/0", init_info=False, init_tags=False)
    driver.open()
    driver._info = {"revision": {"major": 20, "minor": 11}}
    driver._cfg["use_instance_ids"] = False
    driver._tags = {
        name: {
            "tag_name": name, "dim": 1, "dimensions": [size, 0, 0], "data_type": kind, "data_type_name": kind, "tag_type": "atomic",
            "type_class": getattr(pycomm3, kind), "instance_id": None, "alias": False, "external_access": "Read/Write",
        }
        for name, (kind, size) in TAGS.items()
    }  # fmt: skip
    for name, first, count in (("Tank", 3, 1), ("Tank", 0, 5), ("Level", 1, 1), ("Motor", 0, 1), ("Count", 2, 3)):
        read = driver.read(f"{name}[{first}]{{{count}}}")
        values = [read.value] if count == 1 else []  # what it makes of several depends on a list of tags that the simulated controller does not give
        diary.append({"action": "read_tag", "name": name, "first": first, "last": first + count - 1, "values": values, "done": bool(read)})
    for connected in (True, False):
        for service, attribute in ((14, 7), (14, 1), (1, None)):
            about: dict[str, Any] = {} if attribute is None else {"attribute": attribute}
            about |= {} if connected else {"route_path": True, "unconnected_send": True}
            said = driver.generic_message(service=service, class_code=1, instance=1, connected=connected, name="identity", **about)
            action = "get_attributes_all" if attribute is None else "get_attribute_single"
            diary.append(
                {"action": action, "name": f"identity 1{f'.{attribute}' if attribute else ''}", "first": -1, "last": -1, "values": [], "done": bool(said)}
            )
    driver.close()


if __name__ == "__main__":
    exact_checksums("eth0")
    deeds: list[Deed] = []
    by_cpppo(sys.argv[1], deeds)
    by_pycomm3(sys.argv[1], deeds)
    Path(sys.argv[2]).write_text(json.dumps(deeds), encoding="utf-8")
