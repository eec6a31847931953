"""Message catalogues: every text a person may read, in every layer, in every language.

One TOML file a layer; a table a text, with one entry a language, so that a missing translation is seen where it is missing:

    [alerts.title]
    en = "Alerts"
    zh = "告警"

Placeholders are `str.format` fields filled with plain values.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, cast

from records.addresses import virtual_of
from records.remembered import place_of, recall, remember

if TYPE_CHECKING:
    from collections.abc import Iterable

LANGUAGES: Final = ("en", "zh")


def _flatten(prefix: str, table: dict[str, Any], into: dict[str, dict[str, str]]) -> None:
    if all(isinstance(value, str) for value in table.values()):
        into[prefix] = cast("dict[str, str]", table)
        return
    for name, value in table.items():
        _flatten(f"{prefix}.{name}" if prefix else name, cast("dict[str, Any]", value), into)


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every text by key: `{"alerts.title": {"en": …, "zh": …}}`. To read them all takes a third of the time of a command that does little."""
    contents = [file.read_bytes() for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name) if file.name.endswith(".toml")]
    place = place_of("wording", contents)
    texts: dict[str, dict[str, str]] | None = recall(place)
    if texts is None:
        import tomllib

        texts = {}
        for content in contents:
            _flatten("", tomllib.loads(content.decode()), texts)
        remember(place, texts)
    return texts


def say(key: str, language: str, **values: object) -> str:
    """The text `key` in `language`, filled in. Raises KeyError for a key that no catalogue has: tests find those."""
    text = catalogue()[key][language]
    return text.format(**values) if values else text


def say_or(key: str, language: str, word: str) -> str:
    """The text `key`, or the plain word of a protocol or a user that no catalogue knows."""
    return say(key, language) if key in catalogue() else word.replace("_", " ")


def role_words(role: str | None, language: str) -> str:
    """An asset's role in words; empty where it is not known."""
    return say_or(f"role.{role}", language, role) if role else ""


def device_words(addresses: Iterable[str], parts: Iterable[object], language: str) -> str:
    """What a device is: its maker, model and the like, or that routers stand in for each other with it."""
    protocol = next(filter(None, map(virtual_of, addresses)), None)
    return " ".join(str(part) for part in parts if part) or (say("asset_virtual", language, protocol=protocol) if protocol else "")


def source_words(source: str, language: str) -> str:
    """Who or what said a fact of an asset: words for what Balefire concludes itself and people state; protocols by their names."""
    return say_or(f"source.{source}", language, source)


def locale_language() -> str:
    """The language the environment asks for: Chinese for a zh locale, else English."""
    for name in ("BALEFIRE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
