"""The file of ways (YAML: name → kind and settings): how what was released goes out. What is wrong in it is told with its line, before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.rulebook import document
from detectors.rulebook.problems import nearest
from records.errors import BalefireError, InputError, UsageError
from records.homes import expanded
from reports.channel import SECRETS, channels, trusting, unusable
from reports.whom import rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reports.whom import Rule

# What editors and Chinese keyboards write for the signs of YAML, where only such a sign can stand.
SIGNS: Final = re.compile(r"^[ \t]*(?:(?P<dash>[–—−－])|(?:- *)?[a-z_]+[ \t]*：)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Way:
    """A channel as somebody set it up: `name` is theirs."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    gets: tuple[Rule, ...] = ()  # what goes this way by itself


def ways(file: Path) -> dict[str, Way]:
    """The ways that a file sets up; paths are taken from its folder. Raises InputError with the line of what is wrong, secrets among it."""
    file = file.absolute()
    try:
        content = document.content_of(file)
    except OSError as error:
        raise UsageError("deliver.no_file", file=file, problem=error.strerror or error) from error
    text = content.decode("utf-8", "replace")
    if sign := SIGNS.search(text):
        line = text.count("\n", 0, sign.end()) + 1
        raise InputError("deliver.form.sign", place=f"{file}:{line}", wrong=sign[0][-1], sign="-" if sign["dash"] else ":")
    read = document.read(content)
    if read.faults:
        line, fault = read.faults[0]
        if fault.check == "not-a-rule":  # empty, or no mapping
            raise InputError("deliver.nothing", file=file)
        raise InputError(f"deliver.form.{fault.check}", place=f"{file}:{line}", **fault.values)
    return {name: _way(file, read, name) for name in read.data}


def _way(file: Path, read: document.Document, name: str) -> Way:
    def wrong(problem: object, known: object, *path: str | int) -> InputError:
        place = f"{file}:{read.line(name, *path)}"
        if isinstance(known, BalefireError):
            return InputError("deliver.at", place=place, problem=known)
        return InputError("deliver.wrong", place=place, problem=problem, known=known)

    told: object = read.data[name]
    if not isinstance(told, dict):
        raise wrong(name, "kind: …")
    settings = dict(cast("dict[str, Any]", told))
    gets = rules(settings.pop("gets", None), wrong)
    channel = channels().get(str(settings.pop("kind", "")))
    if channel is None:
        raise wrong("kind", ", ".join(sorted(channels())), "kind")
    for key in settings:
        if key in SECRETS:
            raise wrong(key, f"{key}_env, {key}_file", key)
        if key not in channel.keys:
            raise wrong(key, nearest(key, channel.keys | {"gets"}), key)
    if missing := sorted(channel.needed - set(settings)):
        raise wrong("–", ", ".join(missing))
    if found := unusable(settings) or channel.unusable(settings):
        raise wrong(f"{found[0]}: {settings[found[0]]}", found[1], found[0])
    settings |= {key: str(file.parent / expanded(str(settings[key]))) for key in channel.local if key in settings}
    if "ca" in settings:
        try:
            trusting(settings)
        except UsageError as error:
            raise wrong("ca", error, "ca") from error
    return Way(name, channel.kind, settings, gets)
