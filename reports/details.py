"""The chapters after the first page: every number with what it is out of, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import STATUSES, VERDICTS
from records.formats import number, per_cent
from reports.blocks import Cell, Section, Table
from reports.front import formula, gone, seconds
from reports.words import DASH
from sensors.blindness import reason_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.words import Words

Row = dict[str, Any]
SHORT: Final = 12  # digits of an identity


def sections(told: Mapping[str, Any], words: Words) -> list[Section]:
    """All chapters; that of the sites only where there are several. Of a period of which nothing was recorded there is nothing to tell but what people did."""
    if not told["recorded"] and not told["alerts"]["total"]:
        return [chapter(told, words) for chapter in (changes, making)]
    made: list[Callable[[Mapping[str, Any], Words], Section]] = [alerts, answers, coverage, unseen, assets]
    if "data" in told:  # reports of earlier versions knew no classes
        made.append(data)
    made.append(changes)
    if len(told["sites"]) > 1:
        made.append(sites)
    return [chapter(told, words) for chapter in (*made, making)]


def _table(words: Words, name: str, columns: tuple[str, ...], rows: list[list[Cell]], note: str = "") -> Table:
    return Table(words.say(f"table.{name}.title"), [words.say(f"table.{name}.{column}") for column in columns], rows, note, words.say(f"table.{name}.empty"))


def _place(rows: Sequence[Row]) -> tuple[str, ...]:
    """The column of sites, where the rows tell it: where there are several."""
    return ("site",) if any("site" in each for each in rows) else ()


def _sited(each: Row) -> list[Cell]:
    return [Cell(each["site"] or DASH)] if "site" in each else []


def _joined(*notes: str) -> str:
    return " · ".join(filter(None, notes))


def alerts(told: Mapping[str, Any], words: Words) -> Section:
    """By severity, status, verdict; the gravest; by technique and by role."""
    found: Row = told["alerts"]
    total = found["total"]
    counts = {name: number(found[name]) for name in ("new", "findings", "hidden")}
    text = words.count("alerts.text", total, whole=number(found["findings"] + found["hidden"]), **counts)
    texts = [text] if found["complete"] else [text, words.say("alerts.cut", count=number(total))]
    levels = [
        [
            Cell(words.level(each["level"]), None, each["level"]),
            *(words.of(each["total"], total), words.of(each["new"], each["total"]), words.of(each["unanswered"], each["total"])),
            *(words.of(each["undecided"], each["total"]), words.of(each["true"], each["total"])),
        ]
        for each in found["severity"]
    ]
    tables = [
        _table(words, "by_severity", ("level", "alerts", "new", "unanswered", "undecided", "true"), levels),
        _worst(found, words),
        _states(found, words),
        _techniques(found, words),
        _roles(found, words),
    ]
    return Section("alerts", words.say("alerts.title"), words.say("alerts.note"), tables, texts=texts)


def _worst(found: Row, words: Words) -> Table:
    """The gravest alerts; with their sites, where there are several."""
    rows = [
        [
            words.severity(each["severity"]),
            Cell(words.text(each["title"]), None, "strong"),
            *_sited(each),
            Cell(", ".join(each["assets"]) or DASH),
            Cell(words.minute(each["first"]), None, "short"),
            words.of(each["findings"], found["findings"]),
            Cell(_state(each, words), None, "short"),
            Cell(str(each["id"])[:SHORT], None, "mono"),
        ]
        for each in found["worst"]
    ]
    return _table(
        words,
        "worst",
        ("severity", "alert", *_place(found["worst"]), "assets", "first", "findings", "state", "id"),
        rows,
        words.shown(len(rows), found["total"]),
    )


def _state(each: Row, words: Words) -> str:
    return words.say("table.states.closed_as", verdict=words.code("verdict", each["verdict"])) if each["verdict"] else words.code("status", each["status"])


def _states(found: Row, words: Words) -> Table:
    rows = [[Cell(words.code("status", name)), words.of(found["status"][name], found["total"])] for name in STATUSES]
    rows += [
        [Cell(words.say("table.states.closed_as", verdict=words.code("verdict", name))), words.of(found["verdict"][name], found["status"]["closed"])]
        for name in VERDICTS
    ]
    return _table(words, "states", ("state", "alerts"), rows)


def _techniques(found: Row, words: Words) -> Table:
    rows = [
        [Cell(words.technique(each["technique"])), words.of(each["alerts"], found["total"]), words.severity(each["gravest"])] for each in found["techniques"]
    ]
    if found["without_technique"]:
        rows.append([Cell(words.say("table.techniques.without"), None, "muted"), words.of(found["without_technique"], found["total"]), Cell("")])
    cut = words.cut(len(found["techniques"]), found.get("technique_count", 0))  # reports of before do not tell how many there are
    return _table(words, "techniques", ("technique", "alerts", "gravest"), rows, _joined(words.say("table.techniques.note"), cut))


def _roles(found: Row, words: Words) -> Table:
    rows = [
        [
            Cell(words.role(each["role"])),
            words.of(each["alerts"], found["total"]),
            words.of(each["concerned"], max(each["assets"], each["concerned"])),
            words.severity(each["gravest"]),
        ]
        for each in found["roles"]
    ]
    return _table(words, "roles", ("role", "alerts", "assets", "gravest"), rows, words.say("table.roles.note"))


def answers(told: Mapping[str, Any], words: Words) -> Section:
    """How long it took, and how many still wait."""
    rows: list[list[Cell]] = []
    for group in ("grave", "all"):
        each: Row = told["answers"][group]
        for deed in ("taken_up", "closed"):
            waits: Row = each[deed]
            rows.append(
                [
                    Cell(words.say(f"answers.{group}")),
                    Cell(words.say(f"answers.{deed}")),
                    words.of(waits["done"], each["of"]),
                    words.span(waits["median_s"]),
                    words.span(waits["longest_s"]),
                    words.of(waits["waiting"], each["of"]),
                    words.span(waits["oldest_s"]),
                ]
            )
    table = _table(words, "answers_table", ("alerts", "deed", "done", "median", "longest", "waiting", "oldest"), rows, _up_to(told, words))
    return Section("answers", words.say("answers.title"), words.say("answers.note"), [table])


def _up_to(told: Mapping[str, Any], words: Words) -> str:
    """When what waits stops to; reports of before do not tell it."""
    known = told["made_from"].get("known")
    return words.say("table.answers_table.note", known=words.minute(known)) if known else ""


def coverage(told: Mapping[str, Any], words: Words) -> Section:
    """Time and payload, each sensor, and what takes points."""
    found: Row = told["coverage"]
    payload = words.size(found["decoded_bytes"] + found["undecoded_bytes"] + found["lost"]).text
    counts = {name: number(found[name]) for name in ("sensors", "minutes", "packets", "dropped")} | {"came": number(found["packets"] + found["dropped"])}
    shares = {"time": words.share(found["time_share"]), "grade": words.share(found["grade"])}
    texts = [words.say("coverage_section.text", seen=number(found["seen_minutes"]), payload=payload, **counts, **shares)]
    texts += [words.say("coverage_section.reason", reason=reason_words(each, words.language), payload=payload) for each in found["reasons"]]
    if found["looked_at"] < found["windows"]:
        texts.append(words.say("coverage_section.some", shown=number(found["looked_at"]), total=number(found["windows"])))
    rows = [
        [
            Cell(" · ".join(filter(None, (each["observer"], each["interface"]))) or DASH),
            words.of(each["seen_minutes"], each["minutes"]),
            words.share_cell(per_cent(each["seen_minutes"], max(1, each["minutes"]))),
            words.share_cell(each["grade"]),
            words.of(each["packets"], found["packets"]),
            words.of(each["dropped"], each["packets"] + each["dropped"]),
        ]
        for each in found["places"]
    ]
    table = _table(words, "places", ("place", "minutes", "time", "grade", "packets", "dropped"), rows, words.cut(len(rows), found.get("place_count", 0)))
    return Section("coverage", words.say("coverage_section.title"), words.say("coverage_section.note"), [table], texts=texts)


def unseen(told: Mapping[str, Any], words: Words) -> Section:
    """Silences and blind spots, with what to do."""
    found: Row = told["unseen"]
    gaps = [
        [*(Cell(words.minute(each[end]), None, "short") for end in ("since", "until")), words.span_of(each["seconds"], seconds(told))] for each in found["gaps"]
    ]
    spots = [[Cell(each[words.language]["what"]), Cell(each[words.language]["todo"], None, "muted")] for each in found["spots"]]
    disabled = [[Cell(each["rule"], None, "mono"), Cell(each["reason"])] for each in found.get("disabled", [])]  # reports of before do not tell it
    tables = [
        _table(words, "spots", ("what", "todo"), spots, words.shown(len(spots), found["spot_count"])),
        _table(words, "gaps", ("since", "until", "length"), gaps, words.shown(len(gaps), found["gap_count"])),
        *([_table(words, "disabled", ("rule", "reason"), disabled)] if disabled else []),
    ]
    return Section(
        "unseen",
        words.say("unseen.title"),
        words.say("unseen.note"),
        tables,
        texts=[*gone(told, words), *(words.say("unseen.silent", sensor=name) for name in found["silent"]), words.say("unseen.wire")],
    )


def assets(told: Mapping[str, Any], words: Words) -> Section:
    """How many, what is new or not known, who spoke with the Internet, remote access."""
    found, remote = told["assets"], told["unseen"]["remote"]
    whole, internet = found["assets"], found["internet"]
    rows = [[Cell(words.say("table.exposure.new")), words.newcomers(found["new"], whole, {**told, **found})]]
    rows += [[Cell(words.say(f"table.exposure.{name}")), words.of(found[name], whole)] for name in ("without_role", "without_zone")]
    unlisted = Cell(words.say("table.exposure.no_list"), None, "number") if found["unlisted"] is None else words.of(found["unlisted"], whole)
    rows.append([Cell(words.say("table.exposure.unlisted")), unlisted])
    if "outside" in found:  # reports of before counted them as assets
        rows.append([Cell(words.say("table.exposure.outside")), words.of(found["outside"], whole + found["outside"])])
    rows.append([Cell(words.say("table.exposure.internet_assets")), _of_assets(internet, whole, words)])
    rows.append([Cell(words.say("table.exposure.inbound")), words.of(internet["inbound"], internet["pairs"])])
    new = [_newcomer(each, words) for each in found["listed_new"]]
    pairs = [_pair(each, internet["operations"], words) for each in internet["listed"]]
    access = [[Cell(each["protocol"]), Cell(each["port"], None, "mono"), words.size_of(each["bytes"], told["coverage"]["bytes"])] for each in remote]
    kinds = [[Cell(words.role(each["role"])), words.of(each["assets"], whole)] for each in found["roles"]]
    tables = [
        _table(words, "exposure", ("what", "count"), rows),
        _table(words, "new_assets", ("name", *_place(found["listed_new"]), "addresses", "role", "maker", "first"), new, words.shown(len(new), found["new"])),
        _table(
            words,
            "internet",
            ("inside", *_place(internet["listed"]), "way", "outside", "operations"),
            pairs,
            _joined(words.say("table.internet.note"), words.cut(len(pairs), internet["pairs"])),
        ),
        _table(words, "remote", ("protocol", "port", "bytes"), access, words.say("table.remote.note")),
        *_remote(found, words),
        _table(words, "kinds", ("role", "assets"), kinds),
    ]
    return Section("assets", words.say("assets.title"), words.say("assets.note"), tables)


def _remote(found: Row, words: Words) -> list[Table]:
    """Who used remote access to which asset; nothing of reports of before, which do not tell it."""
    if "remote" not in found:
        return []
    remote: Row = found["remote"]
    rows = [
        [
            Cell(each["asset"] or DASH, None, "strong"),
            *_sited(each),
            Cell(str(each["address"] or DASH)),
            Cell(str(each["from"] or DASH)),
            Cell(words.say(f"table.remote_pairs.{'yes' if each['outside'] else 'no'}")),
            Cell(f"{each['protocol']} · {each['port']}"),
            words.of(each["operations"], remote["operations"]),
        ]
        for each in remote["listed"]
    ]
    columns = ("asset", *_place(remote["listed"]), "address", "from", "outside", "protocol", "operations")
    counted = words.say("table.remote_pairs.counted", count=number(remote["outside"]), whole=number(remote["pairs"])) if remote["pairs"] else ""
    note = _joined(words.say("table.remote_pairs.note"), counted, words.cut(len(rows), remote["pairs"]))
    return [_table(words, "remote_pairs", columns, rows, note)]


def _of_assets(internet: Row, whole: int, words: Words) -> Cell:
    """How many assets of all spoke with the Internet; reports of earlier versions counted addresses, which are no part of that whole."""
    return words.of(internet["assets"], whole) if "assets" in internet else words.number(internet["inside"])


def _newcomer(each: Row, words: Words) -> list[Cell]:
    addresses, role = Cell(", ".join(each["addresses"])), Cell(words.role(each["role"]))
    return [Cell(each["name"], None, "strong"), *_sited(each), addresses, role, Cell(each["maker"] or DASH), Cell(words.minute(each["first"]), None, "short")]


def _pair(each: Row, whole: int, words: Words) -> list[Cell]:
    way = Cell(words.say("table.internet.in" if each["inbound"] else "table.internet.out"))
    return [Cell(str(each["inside"] or DASH)), *_sited(each), way, Cell(str(each["outside"] or DASH)), words.of(each["operations"], whole)]


def data(told: Mapping[str, Any], words: Words) -> Section:
    """What data is of which class, and which of it left its zone."""
    found: Row = told["data"]
    rules: Row = found["rules"]
    texts = [words.say("data.rules", title=words.text(rules["title"]), digest=rules["digest"])]
    texts += [words.say("data.default")] if rules["default"] else []
    texts += [words.say("data.faulty", files=", ".join(rules["faulty"]))] if rules["faulty"] else []
    counts = {name: number(found[name]) for name in ("operations", "looked_at", "classed", "zoned", "leaving")}
    texts.append(words.say("data.text" if found["zoned"] else "data.no_zones", grade=words.share(told["coverage"]["grade"]), **counts))
    gravest, whole = (sum(each[name] for each in found["by_class"] if each["level"] == 3) for name in ("leaving", "zoned"))
    texts += [words.say("data.gravest", count=number(gravest), whole=number(whole))] if gravest else []
    classes = [
        [
            Cell(words.data_class(each)),
            words.of(each["assets"], found["assets"]),
            words.of(each["operations"], found["looked_at"]),
            *([words.of(each["leaving"], each["zoned"])] if found["zoned"] else []),  # else nothing is known of any
        ]
        for each in found["by_class"]
    ]
    flows = [_flow(each, told.get("zones", {}), found, words) for each in found["flows"]]  # reports of before do not tell what zones are called
    listed = [
        [
            Cell(words.text(each["title"])),
            Cell(words.code("data.kind", each["kind"])),
            Cell(words.data_class(each)),
            words.of(each["operations"], found["looked_at"]),
        ]
        for each in rules["listed"]
    ]
    shown = words.shown(len(flows), found["flow_count"])
    tables = [
        _table(words, "data_classes", ("class", "assets", "operations", *(["leaving"] if found["zoned"] else [])), classes),
        *([_table(words, "data_flows", ("class", "from", "to", "pairs", "operations"), flows, shown)] if found["zoned"] else []),
        _table(words, "data_rules", ("rule", "kind", "class", "operations"), listed),
    ]
    return Section("data", words.say("data.title"), words.say("data.note"), tables, texts=texts)


def _flow(each: Row, zones: Mapping[str, Row], found: Row, words: Words) -> list[Cell]:
    """What of a class left one zone for another."""
    source, target = (words.text(zones[name]) if name in zones else name for name in (each["from"], each["to"]))
    elsewhere = words.say("table.data_flows.internet" if each["internet"] else "table.data_flows.no_zone")
    whole = found.get("leaving_pairs")  # reports of before do not tell it
    pairs = words.number(each["pairs"]) if whole is None else words.of(each["pairs"], whole)
    return [Cell(words.data_class(each)), Cell(source), Cell(target or elsewhere), pairs, words.of(each["operations"], found["leaving"])]


def changes(told: Mapping[str, Any], words: Words) -> Section:
    """What people changed in rules, suppressions and lists, and what hid findings."""
    found: Row = told["changes"]
    listed = [_changed(each, words) for each in found["listed"]]
    versions = [_version(each, words) for each in found["versions"]]
    hiding = [
        [
            Cell(each["rule"]),
            Cell(each["reason"]),
            Cell(each["owner"]),
            Cell(words.minute(each["until"]), None, "short"),
            words.of(each["hidden"], told["alerts"]["findings"] + told["alerts"]["hidden"]),
        ]
        for each in found["suppressions"]
    ]
    shown = words.shown(len(listed), found["total"])
    tables = [
        _table(words, "versions", ("since", "version", "files", "added", "changed", "removed", "named"), versions),
        _table(words, "hiding", ("rule", "reason", "owner", "until", "hidden"), hiding, words.cut(len(hiding), found.get("suppression_count", 0))),
        _table(words, "changed", ("time", "by", "action", "what", "note"), listed, shown),
    ]
    return Section("changes", words.say("changes.title"), words.say("changes.note"), tables)


def _changed(each: Row, words: Words) -> list[Cell]:
    subject = f" {each['subject']}" if each["table"] == "rules" else ""
    deed, what = Cell(words.code("decision", each["action"])), Cell(words.code("report.kept_in", each["table"]) + subject)
    return [Cell(words.minute(each["time"]), None, "short"), Cell(str(each["by"])), deed, what, Cell(each["note"] or DASH)]


def _version(each: Row, words: Words) -> list[Cell]:
    whole = {"added": each["files"], "changed": each["files"], "removed": each["files"] - each.get("added", 0) + each.get("removed", 0)}  # of those before
    counts = [words.number(each["files"]), *(words.of(each[name], of) if name in each else Cell(DASH, None, "number") for name, of in whole.items())]
    named = [words.say(f"file.{one['kind']}.{one['change']}", file=one["file"]) for one in each.get("named", [])]  # reports of before do not tell it
    more = sum(each.get(name, 0) for name in ("added", "changed", "removed")) - len(named)
    named += [words.say("file.more", count=number(more))] if named and more > 0 else []
    return [Cell(words.minute(each["since"]), None, "short"), Cell(each["version"], None, "mono"), *counts, Cell(words.say("file.between").join(named) or DASH)]


def sites(told: Mapping[str, Any], words: Words) -> Section:
    """Each site by itself, the gravest first."""
    rows = [
        [
            Cell(each["site"], None, "strong"),
            Cell(f"{each['index']['value']:.1f}", each["index"]["value"], "number"),
            Cell(f"{each['index']['low']:.1f}–{each['index']['high']:.1f}", None, "number"),
            words.of(each["grave"], each["alerts"]),
            words.newcomers(each["new_assets"], each["assets"], each),
            words.share_cell(each["time_share"]),
            words.share_cell(each["grade"]),
        ]
        for each in told["sites"]
    ]
    table = _table(
        words, "sites_table", ("site", "index", "interval", "alerts", "assets", "time", "grade"), rows, words.cut(len(rows), told.get("site_count", 0))
    )
    return Section("sites", words.say("sites.title"), words.say("sites.note"), [table])


def making(told: Mapping[str, Any], words: Words) -> Section:
    """How the numbers were made, and from what."""
    index = "index" if not told["index"] or formula(told["index"]) > 1 else "index_first"  # of reports of before
    texts = [words.say(f"making.{name}") for name in ("alerts", index, "interval", "times", "coverage", "compared")]
    made: Row = told["made_from"]
    texts.append(words.say("making.from", newest=words.moment(made["newest"]), decisions=number(made["decisions"]), zone=told["zone"], id=told["id"]))
    return Section("making", words.say("making.title"), texts=texts)
