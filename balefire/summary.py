"""What a replay tells a person: what was seen, what is wrong, how much was not seen, where to look next."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from balefire.rows import ID
from balefire.screen import LOOKING, WIDTH, clean, cut, severity_text
from balefire.tally import MENDED, MISSED
from balefire.times import shown, span
from records.assets import contested
from records.effects import EFFECTS
from records.model import severity_word
from records.nesting import period
from records.wording import device_words, role_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from balefire.pipeline import Replay
    from balefire.screen import Screen
    from records.model import Alert, Asset
    from sensors.blindspots import Spot

CONFLICTS: Final = 4
ASSETS: Final = 12  # listed; the rest is counted, and a command tells them all
NAME: Final = 40  # letters of a name in this list
ALERTS: Final = 12
BLIND_SPOTS: Final = 6
DISABLED: Final = 12
UNREPAIRED: Final = ("unread", "encrypted")  # blind spots whose advice would only fill the screen
# blind spots that take nothing from the grade: nothing came, or nothing was kept
BESIDE: Final = (
    "one_sided", "datagram_requests_only", "silent", "absent", "dark", "refused", "broken_cut", "broken_corrupt", "broken_torn", "broken_gzip",
    "broken_unreadable", "broken_interfaces", "broken_stream_cut", "broken_stream_corrupt", "broken_stream_gzip", "broken_stream_unreadable",
)  # fmt: skip
BAR: Final = 32
ACCESS_STYLE: Final = {"write": "green", "command": "magenta", "program": "magenta", "unknown": "yellow"}


def tell(screen: Screen, done: Replay, summary: dict[str, Any]) -> None:
    """The whole summary of a replay."""
    parts = [*_head(screen, summary), *_seen(screen, done, summary), *_wrong(screen, done), *_unseen(screen, done, summary), *_next(screen, done)]
    for part in parts:
        screen.print(part)


def section(title: str, note: str = "") -> RenderableType:
    """A heading with its note, and room above it."""
    from rich.text import Text

    return Text.assemble("\n", (title, "bold"), ("  " + clean(note) if note else "", "dim"))


class Prose:
    """A text in lines as wide as there is room. Rich breaks at spaces only, and would tear Chinese apart at the few it has."""

    def __init__(self, text: str) -> None:
        self._text = clean(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, for rich."""
        from rich.text import Text

        from balefire.wrapping import broken, pieces

        yield from (Text(line, no_wrap=True, overflow="fold") for line in broken(pieces(self._text), options.max_width))


def indented(content: RenderableType, left: int = 2) -> RenderableType:
    """Content below a heading, never wider than a page of text."""
    from rich.constrain import Constrain
    from rich.padding import Padding

    return Constrain(Padding(content, (0, 0, 0, left), expand=False), WIDTH)


def _head(screen: Screen, summary: dict[str, Any]) -> list[RenderableType]:
    from rich.text import Text

    inputs = summary["inputs"]
    by_content = {each["sha256"] or each["path"]: _titled(str(each["path"])) for each in reversed(inputs)}
    names = list(by_content.values())
    what = names[0] if len(names) == 1 else screen.count("cli.summary.captures", len(names))
    facts = [clean(what), screen.count("cli.summary.packets", summary["packets"])]
    times = [period(each[end]) for each in inputs for end in ("first", "last") if each[end]]
    known = [time[0] for time in times if time]
    if known:
        facts.append(span(min(known), max(known), screen.language) + " UTC")
    return [Text.assemble(("Balefire", "bold"), "  ", " · ".join(facts))]


def _titled(path: str) -> str:
    """The name of a file without its folder; an address whole."""
    return path if "://" in path else path.rstrip("/").rsplit("/", 1)[-1] or "/"


def _seen(screen: Screen, done: Replay, summary: dict[str, Any]) -> list[RenderableType]:
    """Assets, protocols, and operations by access: who looks is grey and thin, who acts is full and coloured."""
    from rich.text import Text

    from sensors.protocol import title_of

    protocols = summary["protocols"]
    spoken = [
        Text(screen.say("cli.summary.protocol", name=title_of(name), messages=f"{counts['messages']:,}", operations=f"{counts['operations']:,}"))
        for name, counts in sorted(protocols.items(), key=lambda item: -item[1]["operations"])
    ]
    parts: list[RenderableType] = [section(screen.say("cli.summary.seen"), screen.count("cli.summary.assets", summary["assets"]))]
    parts.append(indented(_assets(screen, list(done.assets.values()))))
    if summary["assets"] > ASSETS:
        parts.append(indented(Text(screen.say("cli.summary.more", count=summary["assets"] - ASSETS), "dim")))
    parts += _contested(screen, list(done.assets.values()))
    parts += [Text(), *(indented(each) for each in spoken or [Text(screen.say("cli.summary.no_protocol"))]), Text()]
    if summary["access"]:
        parts.append(indented(_access(screen, summary["access"])))
    mended = _mended(screen, summary["coverage"])
    return [*parts, Text(), indented(Text(" · ".join(mended), "dim"))] if mended else parts


def _contested(screen: Screen, assets: list[Asset]) -> list[RenderableType]:
    """Addresses that somebody else claims, too: of those nothing that is told of an asset is certain."""
    told = {(each.address, each.other): each.first for asset in assets for each in contested(asset.conflicts)}
    lines = [
        screen.say("cli.asset.contested", address=address, other=other, time=shown(first, screen.language)) for (address, other), first in sorted(told.items())
    ]
    more = [screen.say("cli.summary.more", count=len(lines) - CONFLICTS)] if len(lines) > CONFLICTS else []
    return [indented(Prose(f"⚠ {line}")) for line in lines[:CONFLICTS]] + [indented(Prose(line)) for line in more]


def _mended(screen: Screen, coverage: dict[str, Any]) -> list[str]:
    """What the link layer undid, so that the rest could be seen: tunnels, fragments, second copies."""
    tunnels = [screen.count("cli.summary.tunnelled", count, tunnel=screen.say(f"tunnel.{name}")) for name, count in coverage["tunnels"].items()]
    return tunnels + [screen.count(f"cli.summary.{name}", coverage[name]) for name in MENDED if coverage[name]]


def _assets(screen: Screen, assets: list[Asset]) -> RenderableType:
    rows: list[tuple[str, ...]] = []
    for asset in sorted(assets, key=lambda each: (each.name, each.id))[:ASSETS]:
        device = device_words(asset.addresses, (asset.vendor, asset.model, asset.firmware), screen.language)
        addresses = [address for address in asset.addresses if address != asset.name]
        name = asset.name if len(asset.name) <= NAME else asset.name[: NAME - 1] + "…"  # one long name shall not squeeze the others' columns
        rows.append((name, " ".join(addresses[:2]), role_words(asset.role, screen.language), device[: 2 * NAME]))
    told = [place for place in range(4) if any(row[place] for row in rows)]  # a column without a word would take its room from another
    listed = grid(len(told), whole=[number for number, place in enumerate(told) if place < 2])
    for row in rows:
        listed.add_row(*(clean(row[place]) for place in told))
    return listed


def _access(screen: Screen, access: dict[str, int]) -> RenderableType:
    from rich.text import Text

    bars = grid(3, numbers=(1,))
    most = max(access.values())
    for name, count in sorted(access.items(), key=lambda item: (item[0] not in LOOKING, -item[1])):
        looks = name in LOOKING
        bar = Text(("▁" if looks else "█") * max(1, round(count / most * BAR)), "dim" if looks else ACCESS_STYLE.get(name, "cyan"))
        bars.add_row(Text(screen.say(f"access.{name}"), "" if looks else "bold"), f"{count:,}", bar)
    return bars


def _wrong(screen: Screen, done: Replay) -> list[RenderableType]:
    """Alerts, gravest first, each with its reason in words."""
    from rich.text import Text

    ordered = _ordered(done)
    hidden = [indented(Text(screen.count("cli.summary.hidden", len(done.hidden)), "dim"))] if done.hidden else []
    words = [severity_word(alert.severity) for alert in ordered[:ALERTS]]
    counts = [f"{done.severities[word]:,} {screen.say(f'severity.{word}')}" for word in ("critical", "high", "medium", "low") if done.severities[word]]
    parts = [section(screen.say("cli.summary.wrong"), " · ".join(counts))]
    if not ordered:
        return [*parts, indented(Text(screen.say("cli.summary.quiet"))), *hidden]
    wide = max(severity_text(word, screen.language).cell_len for word in words)
    parts += [indented(_alert(screen, alert, wide)) for alert in ordered[:ALERTS]]
    if done.severities.total() > ALERTS:
        parts.append(indented(Text(screen.say("cli.summary.more", count=done.severities.total() - ALERTS), "dim")))
    return parts + hidden


def _ordered(done: Replay) -> list[Alert]:
    return list(done.alerts.values())


def _alert(screen: Screen, alert: Alert, wide: int) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    title, reason = (clean(getattr(text, screen.language)) for text in (alert.title, alert.reason))
    count = screen.count("cli.summary.findings", alert.count)
    severity = severity_text(severity_word(alert.severity), screen.language)
    severity.pad_right(max(0, wide - severity.cell_len))
    head = Text.assemble(severity, f" {alert.severity:>3}  ", (title, "bold"), (f" · {count}", "dim"))
    return Group(head, Padding(Prose(reason), (0, 0, 0, 4)))


def _unseen(screen: Screen, done: Replay, summary: dict[str, Any]) -> list[RenderableType]:
    """The grade, and everything that was missed, by name; nothing is left out because it is zero except the zeros themselves."""
    from rich.text import Text

    from sensors.blindspots import ONE_WAY

    coverage = summary["coverage"]
    grade = coverage["grade"]
    note = screen.say("cli.summary.grade", grade=cut(grade, screen.language)) if grade is not None else screen.say("cli.summary.no_grade")
    parts = [section(screen.say("cli.summary.unseen"), note)]
    counts = coverage | {"undecoded_bytes": coverage["undecoded_bytes"] - coverage["cut_bytes"]}  # packets that were cut are told as that
    broken = [str(each["error"]) for each in summary["inputs"] if each["error"]]
    parts += [indented(Text(problem)) for problem in broken]
    spots = [spot for spot in done.tally.named_spots() if not (broken and spot.key.startswith("broken_"))]  # what is wrong with inputs is told in full
    told = {spot.key for spot in spots[:BLIND_SPOTS]}
    missed = [screen.count(f"cli.missed.{name}", counts[name]) for name in MISSED if counts[name] and not (name == "one_sided" and told & ONE_WAY)]
    if missed:
        parts.append(indented(Text(" · ".join(missed))))
    if grade is not None and not (missed or broken or spots):
        parts.append(indented(Text(screen.say("cli.summary.all_seen"))))
    parts += [*([] if done.knows else unlearned(screen)), *disabled_lines(screen, done.disabled), *forgotten_lines(screen, done.forgotten)]
    return [*parts, *beside(screen, spots), *spot_lines(screen, spots, BLIND_SPOTS)]


def unlearned(screen: Screen) -> list[RenderableType]:
    """What is not told because nothing was learned."""
    return [indented(Prose(screen.say("cli.summary.unlearned")))]


def disabled_lines(screen: Screen, disabled: Mapping[str, str]) -> list[RenderableType]:
    """What is not looked for because the site has disabled the rule."""
    told = [indented(Prose(clean(screen.say("coverage.told.disabled", rule=rule, reason=why)))) for rule, why in sorted(disabled.items())]
    more = len(told) - DISABLED
    return [*told[:DISABLED], indented(Prose(screen.count("cli.disable.more", more)))] if more > 0 else told


def forgotten_lines(screen: Screen, forgotten: Mapping[str, int], unlearned: int = 0) -> list[RenderableType]:
    """What detectors have let go for want of room, and what was not learned for want of it."""
    told = [screen.say("coverage.told.forgotten", detector=name, count=f"{count:,}") for name, count in forgotten.items()]
    told += [screen.say("cli.baseline.shed", count=f"{unlearned:,}")] if unlearned else []
    return [indented(Prose(text)) for text in told]


def beside(screen: Screen, spots: list[Spot]) -> list[RenderableType]:
    """What the grade leaves out, where there is such: what never came takes no points."""
    from rich.text import Text

    return [indented(Text(screen.say("coverage.told.beside"), "bold"))] if any(spot.key in BESIDE for spot in spots) else []


def spot_lines(screen: Screen, spots: list[Spot], most: int, advise: bool = False) -> list[RenderableType]:
    """Blind spots, worst first, with what to do about them: with `advise` about every one, else where something can be repaired."""
    from rich.text import Text

    from sensors.blindness import spot_words

    parts: list[RenderableType] = []
    for spot in spots[:most]:
        what, todo = spot_words(spot, screen.language)
        parts.append(indented(Text(clean(what), "bold yellow" if spot.key == "cyclic" else "")))
        if advise or spot.key not in UNREPAIRED:
            parts.append(indented(Text(todo, "dim"), 4))
    more = len(spots) - most
    return [*parts, indented(Text(screen.say("cli.summary.more", count=more), "dim"))] if more > 0 else parts


def _next(screen: Screen, done: Replay) -> list[RenderableType]:
    """Commands to type, with identities that exist."""
    from rich.text import Text

    ordered = _ordered(done)
    acting = sorted({effect.access for effect in EFFECTS if done.tally.access[effect.access] and effect.access not in LOOKING})
    commands: list[tuple[str, str]] = []
    if ordered:
        commands.append((command(screen, "explain", ordered[0].id[:ID]), screen.say("cli.next.explain")))
        commands.append((command(screen, "alerts"), screen.say("cli.next.alerts")))
    if acting:
        search = f"ot.access:({' OR '.join(acting)})" if len(acting) > 1 else f"ot.access:{acting[0]}"
        commands.append((command(screen, "activities", "--where", search), screen.say("cli.next.acting")))
    commands.append((command(screen, "dashboard"), screen.say("cli.next.dashboard")))
    parts = [section(screen.say("cli.summary.next"))]
    for typed, why in commands:
        parts += [indented(Text(why, "dim")), f"    {typed}"]  # never wrapped: it is to be pasted
    return parts


def command(screen: Screen, *words: str) -> str:
    """A command line that can be pasted; the store is named where it is not the usual one."""
    typed = shlex.join([_program(), *words])
    if screen.store == screen.settings.store_place():
        return typed
    home, quoted = str(Path.home()) + "/", shlex.quote(screen.store)
    return f"{typed} --store {'~/' + quoted.removeprefix(home) if quoted.startswith(home) else quoted}"


def _program() -> str:
    """How this program is called from here: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0]).absolute()
    if called.name != "balefire":  # python -m balefire: the program lies beside the interpreter
        called = Path(sys.executable).with_name("balefire")
    if shutil.which("balefire") or not called.exists():
        return "balefire"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


def grid(columns: int, numbers: Sequence[int] = (), whole: Sequence[int] = ()) -> Any:
    """Columns with white space between them; those in `numbers` stand right, those in `whole` stay in one piece while another can give way."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    for column in range(columns):
        made.add_column(justify="right" if column in numbers else "left", overflow="fold", no_wrap=column in whole)
    return made
