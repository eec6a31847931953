"""One alert or finding, told whole: what, why, what would have been normal, what to do, and where the packets are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.identities import one
from records.schema import TABLES
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from dashboards.evidence import Kept
    from records.store.contract import Store

PACKETS: Final = 200
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """What there is to tell. `told` is the alert or finding, `strongest` the finding that gives it its severity (itself, for a finding).

    `findings` are those that an alert names, `alert` that of a finding, `trail` what people decided about either, `evidence` what was kept for the findings,
    `held` which of all that the alert has were kept any, and why the others were not.
    """

    kind: str
    told: Row
    strongest: Row
    findings: list[Row]
    packets: list[Row]
    trail: list[Row]
    evidence: list[Row]
    held: Kept
    alert: Row | None = None

    @property
    def kept(self) -> list[Row]:
        """Evidence that is there."""
        return [row for row in self.evidence if row["sha256"] and row["gone"] is None]

    @property
    def gone(self) -> list[Row]:
        """Evidence that was there."""
        return [row for row in self.evidence if row["gone"] is not None]

    @property
    def activities(self) -> list[str]:
        """Identities of everything that was done, of all findings: those of the strongest first, then in the order of time."""
        ordered = sorted(self.findings, key=lambda row: (row["id"] != self.strongest["id"], row["time"], row["id"]))
        return list(dict.fromkeys(each for row in ordered for each in row.get("activities") or ()))

    @property
    def normal(self) -> Row | None:
        """What would have been normal, by language; None where nobody said."""
        words = {language: self.strongest.get(f"normal.{language}") for language in LANGUAGES}
        return words if any(words.values()) else None

    @property
    def respond(self) -> list[Row]:
        """The first steps, each by language."""
        return _listed(self.strongest, "respond")


@click.command(help=say("cli.help.explain", HELP))
@click.argument("identity", metavar="ID")
@keeps
@speaks
def explain(screen: Screen, identity: str, as_json: bool) -> None:
    """Tell one alert or finding."""
    store = opened(screen)
    try:
        story = _story(store, identity)
        if as_json:
            screen.emit(_object(story))
        else:
            from balefire.story import tell_story

            tell_story(screen, store, story)
    finally:
        store.close()


def _story(store: Store, identity: str) -> Story:
    from dashboards.evidence import kept_for, kept_of
    from records.query import Query
    from records.search import Match
    from records.store.columns import flat

    kind, found = one(store, identity)
    told = store.get(kind, found) or {}
    findings = [told] if kind == "finding" else [row for each in told["findings"] if (row := store.get("finding", each))]
    strongest = max(findings, key=lambda row: (row["severity"], -row["time"]), default=told)
    named = {(packet["file"], packet["packet"]): packet for row in findings for packet in _listed(row, "packets")}
    packets = sorted(named.values(), key=lambda packet: (packet["time"], packet["file"], packet["packet"]))
    alert = store.get("alert", told["alert"]) if kind == "finding" and told.get("alert") else None
    trail = flat(TABLES["audit"], store.read("audit", Query(where=Match("subject", (alert or told)["id"]), sort="id")))
    evidence = [row for each in findings if (row := store.get("evidence", each["id"]))]
    held = kept_of(store, found) if kind == "alert" else kept_for(store, kind, found, findings)
    return Story(kind, told, strongest, findings, packets[:PACKETS], trail, evidence, held, alert)


def _object(story: Story) -> Row:
    from records.nesting import nest

    told = dict(story.told)
    if story.kind == "alert":  # an alert has the score of its strongest finding
        told |= {name: story.strongest.get(name) for name in ("score", "terms")}
    return nest(told) | {
        **({} if story.alert is None else {name: story.alert[name] for name in ("status", "verdict", "assignee")}),
        "normal": story.normal,
        "respond": story.respond,
        "trail": [nest(row) for row in story.trail],
        "evidence": _evidence(story),
    }


def _evidence(story: Story) -> Row:
    """Where the packets are, how many are kept (those that several findings share count once), and what is gone."""
    from records.nesting import iso

    gone = [{"finding": row["id"], "packets": row["packets"], "gone": iso(row["gone"]), "reason": row["reason"]} for row in story.gone]
    kept = {(row["file"], number) for row in story.kept for number in row["numbers"]}
    without = {"without": list(story.held.without), "why": story.held.without}
    return {"packets": story.packets, "kept": len(kept), "missing": sum(row["missing"] for row in story.evidence), "gone": gone} | without


def _listed(row: Row, name: str) -> list[Row]:
    """The objects that a field holds, none where it is absent."""
    held: list[Row] | None = row.get(name)
    return held or []
