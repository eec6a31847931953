"""The first page of a report, for whoever reads no further: how things stand in a sentence, the index and why, five numbers, and what was not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from records.formats import HOUR, MINUTE, SECOND, number
from records.model import GLYPHS, LEVELS
from reports import charts
from reports.blocks import Bar, Cell, Fact, Front, Table
from reports.words import DASH, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.words import Words

Row = dict[str, Any]
GRAVE: Final = ("critical", "high")
NAMED: Final = 2  # sites that the heading names
SPOTS: Final = 4
SILENT: Final = 2
DISABLED: Final = 4
HOURS: Final = frozenset({"silent", "absent"})  # blind spots of whole hours: whoever reads no further hears of them before that of parts of them


def sentence(told: Mapping[str, Any], words: Words) -> str:
    """How things stood, in one sentence: the gravest that nobody settled, or that there is none; never that all is well."""
    if not told["recorded"]:
        return words.say("sentence.gone" if told.get("kept_from") else "sentence.nothing")
    levels: dict[str, Row] = {each["level"]: each for each in told["alerts"]["severity"]}
    undecided, confirmed = (sum(levels[name][state] for name in GRAVE) for state in ("undecided", "true"))
    worst = next((each for each in told["alerts"]["worst"] if each["verdict"] in {None, "true"}), None)
    if undecided or confirmed:
        title = words.text(worst["title"]) if worst else DASH
        title = words.say("sentence.at", title=title, site=worst["site"]) if worst and worst.get("site") else title
        key = "both" if undecided and confirmed else "undecided" if undecided else "confirmed"
        counts = {"undecided": number(undecided), "confirmed": number(confirmed)}
        return words.say(f"sentence.{key}.{'one' if undecided + confirmed == 1 else 'many'}", title=title, **counts)
    lesser = sum(levels[name][state] for name in ("medium", "low") for state in ("undecided", "true"))
    return words.count("sentence.lesser", lesser) if lesser else words.say("sentence.quiet")


def beside(told: Mapping[str, Any], words: Words) -> str:
    """The coverage that the sentence holds for."""
    if not told["recorded"]:
        return words.say("sentence.beside_gone" if told.get("kept_from") else "sentence.beside_nothing")
    coverage: Row = told["coverage"]
    return words.say("sentence.beside", time=words.share(coverage["time_share"]), grade=words.share(coverage["grade"]))


def place(told: Mapping[str, Any], words: Words, named: int = NAMED) -> str:
    """The site; of several their names, or how many where they are more than `named`."""
    if told["site"] is not None:
        return str(told["site"])
    if not told["recorded"]:
        return words.say("place.all")
    names = [str(each["site"]) for each in told["sites"]]
    total = told.get("site_count", len(names))
    if not names:
        return words.say("place.none")
    return words.say("place.and").join(sorted(names)) if total <= named else words.count("place.sites", total)


def when(told: Mapping[str, Any], words: Words) -> str:
    """The period, its end not in it, with its offset from UTC."""
    since, until = nanoseconds(told["since"]), nanoseconds(told["until"])
    clock = words.clock
    offsets = clock.offset(since), clock.offset(until)
    offset = offsets[0] if offsets[0] == offsets[1] else " / ".join(offsets)
    return words.say("when", since=words.minute(told["since"]), until=words.minute(told["until"]), offset=offset)


def front(told: Mapping[str, Any], words: Words) -> Front:
    """All of it."""
    index: Row | None = told["index"]
    level = index["level"] if index else "none"
    step = words.say("chart.hour" if told["period"] == "daily" else "chart.day")
    return Front(
        title=words.say(f"title.{told['period']}"),
        place=place(told, words),
        when=when(told, words),
        note=note(told, words),
        level=level,
        tag=f"{GLYPHS[level]} {words.say(f'tag.{level}')}" if index else words.say("tag.unknown"),
        sentence=sentence(told, words),
        beside=beside(told, words),
        index=f"{index['value']:.1f}" if index else "",
        index_label=words.say("index.label"),
        interval=words.say("index.interval", low=f"{index['low']:.1f}", high=f"{index['high']:.1f}") if index else "",
        scale=_scale(index, words) if index else "",
        facts=_facts(told, words),
        bars=_bars(index, words) if index else [],
        bars_title=words.say("index.terms"),
        compared=compared(told, words),
        chart=_chart(told, words) if told["recorded"] else "",
        chart_title=words.say("chart.title", step=step),
        chart_note=words.say("chart.note"),
        unseen_title=words.say("unseen.front"),
        unseen=unseen(told, words),
    )


def note(told: Mapping[str, Any], words: Words) -> str:
    """Why the period is not told whole."""
    until = words.moment(told["until"])
    if kept_from := told.get("kept_from"):  # only where rows were deleted
        return words.say("partly_kept", kept_from=words.moment(kept_from), until=until) if told["recorded"] else ""
    if told["whole"]:
        return ""
    return words.say("recorded_until" if all_recorded(told["made_from"]["newest"], told["until"]) else "not_over", until=until)


def all_recorded(newest: str, until: str) -> bool:
    """Whether a report goes as far as anything was recorded when it was made: whether its period was over by the clock, no store knows."""
    return nanoseconds(newest) < nanoseconds(until)


def _level_words(words: Words) -> dict[str, str]:
    return {level: words.level(level).split(" ", 1)[1] for level in LEVELS}


def _scale(index: Row, words: Words) -> str:
    label = words.say("index.alt", **{name: f"{index[name]:.1f}" for name in ("value", "low", "high")})
    return Markup(charts.scale(index["value"], index["low"], index["high"], index["level"], _level_words(words), label))  # noqa: S704 - ours, escaped there


def _bars(index: Row, words: Words) -> list[Bar]:
    return [
        Bar(
            words.say(f"term.{each['term']}.name"),
            each["points"],
            each["most"],
            words.say(f"term.{each['term']}.{'why' if each['count'] else 'none'}", count=number(each["count"]), of=number(each["of"])),
        )
        for each in index["terms"]
    ]


def _facts(told: Mapping[str, Any], words: Words) -> list[Fact]:
    """Five numbers, each with what it is out of; where nothing was recorded the time alone, for noughts would say that nothing was wrong; where it is no longer
    kept, not even that.
    """
    alerts, coverage, assets = told["alerts"], told["coverage"], told["assets"]
    grave = [each for each in alerts["severity"] if each["level"] in GRAVE]
    total, unanswered = (sum(each[name] for each in grave) for name in ("total", "unanswered"))
    said, begins = words.say, bool(told.get("begins"))
    time = words.count("fact.of_time", coverage["sensors"], whole=_minutes(coverage["minutes"], words))
    seen = Fact(words.share(coverage["time_share"]), time, said("fact.time"))
    if not told["recorded"]:
        return [] if told.get("kept_from") else [seen]
    return [
        Fact(number(total), said("fact.of_alerts", whole=number(alerts["total"])), said("fact.grave")),
        Fact(number(unanswered), said("fact.of_grave", whole=number(total)), said("fact.unanswered")),
        Fact(DASH if begins else number(assets["new"]), _of_assets(assets, begins, words), said("fact.new")),
        seen,
        Fact(words.share(coverage["grade"]), said("fact.of_payload", whole=_payload(coverage, words)), said("fact.grade")),
    ]


def _of_assets(assets: Row, begins: bool, words: Words) -> str:
    """What new assets are out of: not those of sites whose records begin in the period."""
    more = assets.get("beginning", 0)
    key = "begins" if begins else "of_older" if more else "of_assets"
    return words.say(f"fact.{key}", whole=number(assets["assets"] - more), more=number(more))


def _minutes(minutes: int, words: Words) -> str:
    return words.span(minutes * 60).text if minutes * MINUTE < 48 * HOUR else words.say("hours", count=number(minutes // 60))


def _payload(coverage: Row, words: Words) -> str:
    return words.size(coverage["decoded_bytes"] + coverage["undecoded_bytes"] + coverage["lost"]).text


def compared(told: Mapping[str, Any], words: Words) -> Table:
    """This period beside the one before and that of a year ago; where nothing was recorded, or is kept no more, it says so."""
    columns: list[Row] = [figures(told) | {name: told[name] for name in ("kept_from",) if name in told}, told["before"], told["last_year"]]
    names = ("index", "interval", "alerts", "assets", "answers", "time_share", "grade")
    rows = [[Cell(words.say(f"compared.{name}")), *(_figure(name, each, words) for each in columns)] for name in names]
    head = ["", words.say("compared.now"), *(_column(name, told[name], words) for name in ("before", "last_year"))]
    notes = [text for name in ("before", "last_year") if (text := _origin(told[name], _column(name, told[name], words), words))]
    notes += [words.say("compared.formula", column=_column(name, told[name], words)) for name in ("before", "last_year") if _other(told, told[name])]
    return Table(words.say("compared.title"), head, rows, " ".join([*notes, *_decided(told, words)]))


def _decided(told: Mapping[str, Any], words: Words) -> list[str]:
    """Which decisions the times count; nothing where no other period has such times, or in reports of before, which counted all."""
    delays = [nanoseconds(other["decided_until"]) - nanoseconds(other["until"]) for other in (told["before"], told["last_year"]) if "decided_until" in other]
    if not delays:
        return []
    return [words.say("compared.decided_after", delay=words.span(delays[0] // SECOND).text) if delays[0] >= MINUTE else words.say("compared.decided")]


def _other(told: Mapping[str, Any], other: Row) -> bool:
    """Whether the index of another period is of another formula: told by a report of an earlier version."""
    found = [formula(index) for index in (told["index"], other.get("index")) if index]
    return len(set(found)) > 1


def formula(index: Row) -> int:
    """Of which formula an index is; the first did not say so."""
    return int(index.get("formula", 1))


def figures(told: Mapping[str, Any]) -> Row:
    """What a report comes to, as another is compared with it."""
    alerts, coverage, assets = told["alerts"], told["coverage"], told["assets"]
    return {
        "recorded": told["recorded"], "index": told["index"], "alerts": alerts["total"], "assets": assets["assets"],
        "grave": sum(each["total"] for each in alerts["severity"] if each["level"] in GRAVE), "findings": alerts["findings"],
        "new_assets": assets["new"], "grade": coverage["grade"], "time_share": coverage["time_share"], "answers": told["answers"],
        **{name: part[name] for name, part in (("begins", told), ("beginning", assets)) if name in part},
    }  # fmt: skip


def _origin(other: Row, column: str, words: Words) -> str:
    """From where the figures of a period are of which rows were deleted, or why there are none; nothing of one that is kept."""
    if report := other.get("report"):
        return words.say("compared.report", column=column, report=report)
    lost = [words.say("compared.spoiled", column=column, reports=", ".join(other["spoiled"]))] if other.get("spoiled") else []
    return " ".join(lost + _partly(other, column, words))


def _partly(other: Row, column: str, words: Words) -> list[str]:
    if other["recorded"] and (kept_from := other.get("kept_from")):
        return [words.say("compared.partly", column=column, kept_from=words.moment(kept_from))]
    return []


def _column(name: str, other: Row, words: Words) -> str:
    return words.say(f"compared.{name}", day=words.clock.day(nanoseconds(other["since"])))


def _figure(name: str, each: Row, words: Words) -> Cell:
    """One cell; no data is said, not drawn as nought."""
    if not each["recorded"]:
        return Cell(words.say("not_kept" if each.get("kept_from") else "no_data"), None, "number")
    index: Row = each["index"]
    match name:
        case "index":
            return Cell(f"{index['value']:.1f}", index["value"], "number")
        case "interval":
            return Cell(f"{index['low']:.1f}–{index['high']:.1f}", None, "number")
        case "alerts":
            return words.of(each["grave"], each["alerts"])
        case "assets":
            return words.newcomers(each["new_assets"], each["assets"], each)
        case "answers":
            grave: Row = each["answers"]["grave"]
            return words.median(grave["taken_up"]["median_s"], grave["taken_up"]["done"], grave["of"])
        case _:
            return words.share_cell(each[name])


def _chart(told: Mapping[str, Any], words: Words) -> str:
    counts: list[Row] = told["alerts"]["over_time"]
    shares: list[float] = [each["share"] for each in told["coverage"]["over_time"]]
    clock, hourly = words.clock, told["period"] == "daily"
    times = [nanoseconds(each["since"]) for each in counts]
    ticks = [clock.minute(time) if hourly else clock.short_day(time).removesuffix(f" {clock.local(time).year}") for time in times]
    if not hourly and words.language == "zh":
        ticks = [f"{clock.local(time):%m-%d}" for time in times]
    bars = [{level: int(each[level]) for level in LEVELS} for each in counts]
    return Markup(charts.over_time(bars, shares, ticks, _level_words(words), words.say("chart.alt")))  # noqa: S704 - ours, escaped there


def unseen(told: Mapping[str, Any], words: Words) -> list[str]:
    """The longest silences and the worst blind spots, first; there is always something that is not on the wire."""
    if not told["recorded"]:
        return [words.say("unseen.gone" if told.get("kept_from") else "unseen.nothing")]
    found: Row = told["unseen"]
    lines = gone(told, words)
    if found["gap_count"]:
        longest: Row = found["gaps"][0]
        lines.append(
            words.count(
                "unseen.gaps", found["gap_count"], total=words.span_of(found["gap_seconds"], seconds(told)).text,
                longest=words.span(longest["seconds"]).text, since=words.minute(longest["since"]),
            )
        )  # fmt: skip
    lines += [words.say("unseen.silent", sensor=name) for name in found["silent"][:SILENT]]
    if disabled := found.get("disabled"):  # reports of before do not tell it
        names = [each["rule"] for each in disabled[:DISABLED]] + ["…"] * (len(disabled) > DISABLED)
        lines.append(words.count("unseen.disabled", len(disabled), rules=", ".join(names)))
    spots = sorted(found["spots"], key=lambda spot: spot["spot"] not in HOURS)
    lines += [str(spot[words.language]["what"]) for spot in spots[: max(0, SPOTS - len(lines))]]
    more = found["spot_count"] + len(found["silent"]) + bool(found["gap_count"]) + bool(disabled) + len(gone(told, words)) - len(lines)
    if more > 0:
        lines.append(words.say("unseen.more", count=number(more)))
    return [*lines, words.say("unseen.wire")]


def seconds(told: Mapping[str, Any]) -> int:
    """How long the period is."""
    return (nanoseconds(told["until"]) - nanoseconds(told["since"])) // SECOND


def gone(told: Mapping[str, Any], words: Words) -> list[str]:
    """The part of a period of which rows were deleted: what was seen in it, nobody knows any more."""
    kept_from = told.get("kept_from")
    return [words.say("unseen.partly_gone", since=words.minute(told["since"]), until=words.minute(kept_from))] if kept_from else []
