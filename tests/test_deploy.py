"""What is shipped beside the program: roles that are roles, a page whose commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from balefire.cli import main
from deploy.elasticsearch.server import ROLES
from records.schema import TABLES
from records.store.cluster import address
from records.store.templates import BESIDE, BY_PERIOD, LEDGER, PRIORITY, STAGED, Names, components, templates

ROOT = Path(__file__).parents[1]
PRIVILEGES = {"all", "read", "view_index_metadata", "monitor", "create_index", "index", "delete", "maintenance"}


def test_roles_are_no_wider_than_they_have_to_be() -> None:
    roles: dict[str, Any] = yaml.safe_load(ROLES.read_text("utf-8"))
    assert set(roles) == {"balefire_admin", "balefire_writer", "balefire_analyst", "balefire_reader"}
    for name, role in roles.items():
        given = {privilege for part in role["indices"] for privilege in part["privileges"]}
        assert given <= PRIVILEGES
        assert all(index.startswith("balefire-") for part in role["indices"] for index in part["names"])
        assert ("manage_index_templates" in role["cluster"]) == ("all" in given) == (name == "balefire_admin")
    (looking,) = roles["balefire_reader"]["indices"]
    assert set(looking["privileges"]) == {"read", "view_index_metadata", "monitor"}
    deciding = roles["balefire_analyst"]["indices"][1]["names"]
    assert {name.removeprefix("balefire-*") for name in deciding} <= {*TABLES, LEDGER, STAGED}


def test_the_page_s_commands_are_commands() -> None:
    text = (ROOT / "docs" / "elasticsearch.md").read_text("utf-8")
    said = [shlex.split(line, comments=True) for line in text.split("```sh\n")[1].split("```")[0].splitlines()]
    for words in said:
        command: Any = main
        for word in words[1:]:
            if not hasattr(command, "commands"):
                break
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words
        assert all(address(word).urls for word in words if word.startswith("https://"))
    environment = set(re.findall(r"`(BALEFIRE_ELASTICSEARCH_\w+)`", text))
    assert environment >= {f"BALEFIRE_ELASTICSEARCH_{name}" for name in ("USER", "PASSWORD_FILE", "API_KEY_FILE", "CA", "FINGERPRINT")}


def test_templates_are_whole() -> None:
    names = Names("balefire")
    parts, made = components(names), templates(names)
    assert set(made) == {names.of(name) for name in (*TABLES, *BESIDE)}
    for name, body in made.items():
        assert body["priority"] == PRIORITY
        assert set(body["composed_of"]) <= set(parts)
        assert all(pattern.startswith(name) for pattern in body["index_patterns"])
    small = {name for name, body in made.items() if body["template"].get("settings", {}).get("index", {}).get("codec") == "best_compression"}
    assert small == {names.of(name) for name in BY_PERIOD}, "rows of the others are read one by one, for which it takes many times as long"
    assert "codec" not in parts["balefire@settings"]["template"]["settings"]["index"]
    mapping = parts["balefire-activity@mappings"]["template"]["mappings"]
    assert mapping["dynamic"] == "strict"
    for field in TABLES["activity"].fields:
        branch = mapping
        for step in field.name.split("."):
            branch = branch["properties"][step]
        assert "type" in branch, field.name
