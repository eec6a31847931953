"""Disabling a rule and enabling it again: what that would have kept from being found, the site's `disabled.yml`, and the audit trail."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from detectors.backtest import backtest, period
from detectors.lifecycle import TransitionError, name, plain
from detectors.rulebook import versions
from detectors.rulebook.books import Change as Trial
from detectors.rulebook.disabled import FILE, entries
from detectors.rulebook.document import content_of
from detectors.rulebook.load import load, own_rules
from detectors.rulebook.problems import nearest
from detectors.suppressing import Preview, preview
from records.errors import UsageError
from records.model import Suppression
from records.store.contract import Change

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from detectors.rulebook.rule import Rule
    from records.query import Span
    from records.store.contract import Store

LONGEST: Final = 1000  # characters of a reason
BOM: Final = "\ufeff"
_LINE_END: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML counts lines


def would_hide(store: Store, rule: str) -> Preview:
    """What was found by a rule in the last 30 days of packet time, and would not have been."""
    return preview(store, Suppression("", "", "", 0, 0, {"rule": (rule,)}))


def would_find(store: Store, rule: Rule) -> Preview:
    """What a disabled rule would find in the last 30 days of packet time were it enabled, judged by the very code that judges live.

    What it found before it was disabled counts again, what a suppression would hide counts, too.
    """
    enabled = replace(rule, disabled="")
    result = backtest(store, [Trial(rule.id, None, enabled if enabled.fires else None)], *period(store, None, None))
    assets: Counter[str] = Counter()
    for hour in result.hours:
        assets[hour.asset or "–"] += hour.added
    return Preview(result.since, result.until, result.fires, by_asset=dict(assets.most_common()))


def disabled(store: Store, span: Span | None = None) -> dict[str, str]:
    """The rules that the site had disabled in what judged this store last, or at some time of a span, each with why (the last reason)."""
    try:
        kept = versions.decoded(store.state(versions.STATE))
    except ValueError:
        return {}
    if span is not None:
        kept = [version for version in kept if version.since is not None]  # the others were replaced before they judged anything
        ends = [*(version.since for version in kept[1:]), None]
        kept = [version for version, end in zip(kept, ends, strict=False) if (version.since or 0) < span.until and (end is None or end > span.since)]
    return {rule: why for version in (kept if span else kept[-1:]) for rule, why in version.disabled.items()}


def named(rules: Path | None, rule: str) -> Rule:
    """The rule of this id among Balefire's and those of a directory of rules. Raises UsageError: no directory, no such rule."""
    known = _known(rules)
    if rule not in known:
        raise UsageError("disable.unknown", rule=rule, nearest=nearest(rule, known))
    return known[rule]


def to_enable(rules: Path | None, rule: str) -> Rule | None:
    """The rule that a directory of rules disables; None where it disables one that is not loaded. Raises as `enable`."""
    with _changing(rules, "-") as (file, _, reasons):
        _check_disabled(rule, file, reasons)
    return _known(rules).get(rule)


def _known(rules: Path | None) -> dict[str, Rule]:
    if rules is None:
        raise UsageError("disable.where")
    return {each.id: each for each in load((own_rules(), rules)).rules}


def disable(store: Store, rules: Path | None, rule: str, reason: str, by: str) -> Path:
    """Write a rule into the `disabled.yml` of a directory of rules (or beside a file of rules); which file that is.

    Raises UsageError: no directory, no reason, nobody, no such rule, a file that is damaged or cannot be written. TransitionError: it is disabled already.
    """
    said = told(reason)
    if not said:
        raise UsageError("disable.reason", limit=LONGEST)
    with _changing(rules, by) as (file, text, reasons):
        if why := reasons.get(rule) or named(file.parent, rule).disabled:
            raise TransitionError("disable.twice", rule=rule, reason=why)
        _write(file, added(text, rule, said), {**reasons, rule: said}, Change("rules", rule, None, "disable", name(by), {"reason": said}), store)
        return file


def enable(store: Store, rules: Path | None, rule: str, by: str, note: str = "") -> Path:
    """Take a rule out of it again. Raises as `disable`; TransitionError: it is not disabled."""
    with _changing(rules, by) as (file, text, reasons):
        _check_disabled(rule, file, reasons)
        rest = {each: why for each, why in reasons.items() if each != rule}
        _write(file, removed(text, rule), rest, Change("rules", rule, None, "enable", name(by), note=told(note), before={"reason": reasons[rule]}), store)
        return file


def _check_disabled(rule: str, file: Path, reasons: Mapping[str, str]) -> None:
    if rule not in reasons:
        raise TransitionError("disable.not", rule=rule, file=file, rules=", ".join(reasons) or "–")


def told(text: str) -> str:
    """A reason as it is kept: one line, without what a line could not show. Raises UsageError for one that is too long, or no text."""
    words = plain(text)
    if len(words) > LONGEST:
        raise UsageError("disable.reason", limit=LONGEST)
    return words


@contextmanager
def _changing(rules: Path | None, by: str) -> Generator[tuple[Path, str, dict[str, str]]]:
    """The file, its text and what it says, while nobody else of us changes it."""
    if rules is None:
        raise UsageError("disable.where")
    if not rules.exists():
        raise UsageError("rules_missing", path=rules)
    if not name(by):
        raise UsageError("life.nobody")
    folder = rules if rules.is_dir() else rules.parent
    file = folder / FILE
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if file.is_symlink():
                raise UsageError("disable.link", file=file)
            if file.exists() and not file.is_file():
                raise UsageError("disable.no_file", file=file)
            content = content_of(file) if file.exists() else b""
            reasons, faults = entries(content)
            if faults:
                raise UsageError("disable.damaged", file=file, line=faults[0][0])
            yield file, content.decode("utf-8"), reasons
        finally:
            os.close(handle)
    except OSError as error:
        raise UsageError("disable.file", file=file, problem=error.strerror or error) from error


def added(text: str, rule: str, reason: str) -> str:
    """The text with one more line, which ends and is indented as those before; a text in quotes is the same in JSON and in YAML."""
    end = "\r\n" if "\r\n" in text else "\n"
    root: Any = yaml.compose(text, yaml.SafeLoader)
    key = rule if yaml.safe_load(rule) == rule else json.dumps(rule)  # to YAML, `on` without them is none
    indent = " " * root.start_mark.column if root and not text.startswith(BOM) else ""
    return f"{text}{end if text.strip(BOM) and text[-1] not in end else ''}{indent}{key}: {json.dumps(reason, ensure_ascii=False)}{end}"


def removed(text: str, rule: str) -> str:
    """The text without the lines of a rule; what people wrote around them stays."""
    ends = [0, *(found.end() for found in _LINE_END.finditer(text)), len(text)]
    root: Any = yaml.compose(text, yaml.SafeLoader)
    for key, value in root.value:
        if key.value == rule:
            first, last = key.start_mark.line, value.end_mark.line + bool(value.end_mark.column)
            return text[: ends[first]] + BOM * (first == 0 and text.startswith(BOM)) + text[ends[min(last, len(ends) - 1)] :]
    return text


def _write(file: Path, text: str, wanted: dict[str, str], change: Change, store: Store) -> None:
    """Put the file in place whole, after the audit trail has told it. Where the text does not say what is wanted, it is written anew."""
    if entries(text.encode())[0] != wanted:
        text = "".join(added("", rule, reason) for rule, reason in wanted.items())
    if entries(text.encode()) != (wanted, []):
        raise UsageError("disable.damaged", file=file, line=1)
    number, beside = tempfile.mkstemp(dir=file.parent, prefix=".disabled-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(beside).chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)  # what judges may be another user
        store.change([change])
        Path(beside).replace(file)
    finally:
        Path(beside).unlink(missing_ok=True)
