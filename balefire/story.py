"""One alert or finding as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from balefire.rows import ID, decision, place, status_words, thing, verdict_before
from balefire.screen import clean, severity_text
from balefire.summary import Prose, command, grid, indented, section
from balefire.times import shown, span
from records.model import severity_word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from balefire.commands.explain import Row, Story
    from balefire.screen import Screen
    from records.store.contract import Store

ACTIVITIES = 12


def tell_story(screen: Screen, store: Store, story: Story) -> None:
    """Title, reason, score, what would have been normal, first steps, activities, packets, and where to go on."""
    from rich.text import Text

    told, language = story.told, screen.language
    title = Text.assemble(severity_text(severity_word(told["severity"]), language), f" {told['severity']}  ", (clean(told[f"title.{language}"]), "bold"))
    first, last = (told["first"], told["last"]) if story.kind == "alert" else (told["time"], told["end"])
    facts = [span(first, last, language) + " UTC", *(told["techniques"] or ()), told["id"]]
    if story.kind == "alert":
        facts.insert(1, screen.count("cli.summary.findings", told["count"]))
        facts.append(str(status_words(told, language)))
    parts: list[RenderableType] = [title, indented(Text(clean(" · ".join(facts)), "dim"))]
    parts += [indented(Text(clean(words), "dim")) for words in _standing(screen, story)]
    parts += [indented(Prose(words)) for words in _suppressed(screen, store, told)]
    parts += [Text(), indented(Prose(told[f"reason.{language}"]))]
    parts += _terms(screen, story.strongest)
    if story.normal:
        parts += [section(screen.say("cli.story.normal")), indented(Prose(story.normal[language]))]
    if story.respond:
        parts.append(section(screen.say("cli.story.respond")))
        parts += [indented(Prose(f"{number}. {step[language]}")) for number, step in enumerate(story.respond, 1)]
    parts += _activities(screen, store, story.activities)
    parts += _trail(screen, story)
    parts += _packets(screen, story)
    for part in parts:
        screen.print(part)


def _standing(screen: Screen, story: Story) -> list[str]:
    """As what an alert was closed before, and whose it is; of a finding, which alert took it in, and how that stands."""
    alert = story.alert or (story.told if story.kind == "alert" else None)
    if alert is None:
        return []
    decided = [*filter(None, [verdict_before(alert, story.trail, screen.language), alert["assignee"]])]
    if story.alert is None:
        return [" · ".join(decided)] if decided else []
    standing = " · ".join((str(status_words(alert, screen.language)), *decided))
    return [screen.say("cli.story.part", id=alert["id"][:ID], status=standing)]


def _suppressed(screen: Screen, store: Store, told: Row) -> list[str]:
    """Which suppressions hide it, or hid the like of it before."""
    names = {name: key for key in ("expired", "suppressions") for name in told.get(key) or ()}
    known = {each.id: each for each in (store.suppressions()[1] if names else ())}
    words: list[str] = []
    for name, key in names.items():
        facts = {"id": name[:ID], "until": shown(known[name].until, screen.language), "reason": known[name].reason} if name in known else {}
        if facts:
            words.append(clean(screen.say("cli.story.expired", **facts) if key == "expired" else screen.say("cli.story.hidden", **facts)))
    return words


def _trail(screen: Screen, story: Story) -> list[RenderableType]:
    """Who decided what, in order."""
    from rich.text import Text

    parts: list[RenderableType] = []
    if story.kind == "alert" and story.told["count"] > len(story.findings):
        total, few = f"{story.told['count']:,}", len(story.findings)
        parts += [Text(), indented(Text(clean(screen.say("cli.story.sample", shown=few, total=total, id=story.told["id"])), "dim"))]
    if story.trail:
        parts.append(section(screen.say("cli.story.trail"), "UTC"))
    for row in story.trail:
        words = [shown(row["time"], screen.language), row["by"], decision(row, screen.language), row["note"]]
        parts.append(indented(Prose(clean(" · ".join(filter(None, words))))))
    return parts


def _terms(screen: Screen, finding: Row) -> list[RenderableType]:
    """The named parts of the score, which add up."""
    from rich.text import Text

    sums = grid(2, numbers=(0,))
    for term in finding.get("terms") or ():
        sums.add_row(f"{term['value']:+g}", clean(_named(term, screen.language)))
    sums.add_row(Text(f"{finding.get('score', 0):g}", "bold"), Text(screen.say("cli.story.score"), "bold"))
    return [section(screen.say("cli.story.terms")), indented(sums)]


def _named(term: dict[str, Any], language: str) -> str:
    return str(term["title"][language])


def _activities(screen: Screen, store: Store, activities: list[str]) -> list[RenderableType]:
    """The first of them, in the order of time."""
    found = [row for each in activities[:ACTIVITIES] if (row := store.get("activity", each))]
    if not found:
        return []
    done = grid(4)
    for row in sorted(found, key=lambda row: (row["@timestamp"], row["ot.packet.first"] or 0)):
        cells = (shown(row["@timestamp"], screen.language), f"{place(row, 'source')} → {place(row, 'destination')}", row["event.action"], thing(row))
        done.add_row(*(clean(cell) for cell in cells))
    return [section(screen.say("cli.story.activities"), screen.say("cli.story.of", shown=len(found), total=f"{len(activities):,}")), indented(done)]


def _packets(screen: Screen, story: Story) -> list[RenderableType]:
    """Where the packets are, and how to look at the alert's activities."""
    from rich.text import Text

    parts: list[RenderableType] = []
    if story.packets or story.held.without:
        files: dict[str, list[str]] = {}
        for packet in story.packets:
            files.setdefault(str(packet["file"]), []).append(str(packet["packet"]))
        parts.append(section(screen.say("cli.story.packets")))
        parts += [indented(Text(f"{clean(file)}: {', '.join(numbers[:20])}{' …' if len(numbers) > 20 else ''}")) for file, numbers in files.items()]
        parts += [indented(Prose(words)) for words in _evidence(screen, story)]
    source, commands = story.strongest.get("source.ip"), list[str]()
    if source:
        quoted = f'"{source}"' if ":" in source else source
        commands.append(command(screen, "activities", "--where", f"source.ip:{quoted}"))
    if story.kept:
        short = story.told["id"][:ID]
        commands += [command(screen, "packet", short), command(screen, "evidence", short, "-o", f"{short}.pcapng")]
    return [*parts, section(screen.say("cli.summary.next")), *(f"    {typed}" for typed in commands)] if commands else parts


def _evidence(screen: Screen, story: Story) -> list[str]:
    """How many packets are kept, what is not there any more, and why there never were any, as `balefire evidence` says it."""
    from dashboards.evidence import unkept

    kept = {(row["file"], number) for row in story.kept for number in row["numbers"]}
    words = [screen.count("evidence.kept", len(kept))] if kept else []
    if story.gone:
        row = max(story.gone, key=lambda each: each["gone"])
        why = screen.say(f"evidence.reason.{row['reason']}")
        packets = sum(each["packets"] for each in story.gone)
        words.append(screen.count("evidence.removed", packets, when=shown(row["gone"], screen.language), why=why))
    return words + [clean(screen.count("evidence.without", count, first=first, why=why)) for count, first, why in unkept(story.held, screen.language)]
