"""Many rows as one finding, in words: what is the same in all of them by its name, and how many there are of what differs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.phrases import Placeholders, number, point_row, point_sentence, sentence
from detectors.rulebook.rule import OF_CORRELATIONS, fill
from records.model import Text
from records.schema import POINT
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from detectors.phrases import Row
    from detectors.rulebook.correlation import Correlation
    from detectors.rulebook.rule import Rule
    from detectors.rulebook.watch import Firing

NAMED: Final = 3  # that many different ones are named, more are counted

# The columns that each placeholder is made of.
_OF: Final[dict[str, tuple[str, ...]]] = {
    "action": ("event.action",),
    "destination": ("destination.ip", "destination.mac", "destination.asset.name"),
    "effect": ("ot.effect",),
    "error": ("ot.error",),
    "object": ("network.protocol", "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last"),
    "protocol": ("network.protocol",),
    "source": ("source.ip", "source.mac", "source.asset.name"),
    "unit": ("ot.unit",),
    "value": ("ot.value", "ot.point.last"),
}
_BETWEEN: Final = re.compile(r"(?<=[\u4e00-\u9fff]) +(?=[\u4e00-\u9fff])")  # spaces that were there for what is named in Latin letters
_COUNTED: Final = {"source": "hosts", "destination": "devices"}


def words(correlation: Correlation, firing: Firing, completing: Row) -> tuple[dict[str, str], dict[str, str]]:
    """What a correlation's texts may name, in both languages."""
    different = {name: _different(firing.rows, columns) for name, columns in _OF.items()}
    return cast("tuple[dict[str, str], dict[str, str]]", tuple(_words(correlation, firing, completing, different, language) for language in LANGUAGES))


def _words(correlation: Correlation, firing: Firing, completing: Row, different: Mapping[str, list[Row]], language: str) -> dict[str, str]:
    one: Callable[[Row], Row] = point_row if correlation.table is POINT else dict[str, Any]
    known = Placeholders(one(completing), language)
    for name, rows in different.items():
        texts = list(dict.fromkeys(Placeholders(one(row), language)[name] for row in rows[: NAMED + 1]))
        if len(rows) > NAMED:
            known[name] = say(f"detectors.phrase.{_COUNTED.get(name, 'different')}", language, count=len(rows))
        elif texts:
            known[name] = say("detectors.phrase.comma", language).join(texts)
    known |= {"count": str(_count(correlation, firing.rows)), "measure": number(firing.measure), "timespan": timespan(correlation, language)}
    return known


def general(rule: Rule, text: Text) -> Text:
    """A text of a rule before it has found anything: what it may name stands for any such thing."""
    told = [{name: say(f"detectors.any.{name}", language) for name in OF_CORRELATIONS} for language in LANGUAGES]
    for words, language in zip(told, LANGUAGES, strict=True):
        if rule.correlation:
            words["timespan"] = timespan(rule.correlation, language)
    filled = fill(text, *told)
    return Text(filled.en[:1].upper() + filled.en[1:], _BETWEEN.sub("", filled.zh))


def timespan(correlation: Correlation, language: str) -> str:
    """A correlation's span in words: "10 min"."""
    count, unit = correlation.timespan[:-1], correlation.timespan[-1]
    if unit not in {"s", "m", "h", "d", "w"}:  # months and years, which have no fixed length, are told in days
        count, unit = str(correlation.span // (86_400 * 10**9)), "d"
    return say(f"detectors.timespan.{unit}", language, count=count)


def told(correlation: Correlation, firing: Firing, completing: Row) -> tuple[str, str]:
    """What happened, as a sentence or several, in both languages."""
    sentences = point_sentence if correlation.table is POINT else sentence
    firsts = _firsts(firing)
    english, chinese = (
        say(
            f"detectors.together.{correlation.kind}",
            language,
            measure=number(firing.measure),
            timespan=timespan(correlation, language),
            field=", ".join(getattr(one, language) for one in correlation.measured),
            percentile=correlation.percentile,
            last=sentences(completing, language),
            each=(" " if language == "en" else "").join(sentences(row, language) for row in firsts),
        )
        for language in LANGUAGES
    )
    return english, chinese


def _firsts(firing: Firing) -> list[Row]:
    """The first row of each part, in the order of rows."""
    seen = 0
    places: list[int] = []
    for place, bits in enumerate(firing.bits):
        if bits & ~seen:
            places.append(place)
            seen |= bits
    return plain(firing.rows.take(places))


def taken(table: Any, rows: Any) -> Any:
    """The rows with these numbers; of one batch they are taken three times as fast as of a table."""
    from pyarrow import Table, array

    parts = table.to_batches()
    return Table.from_batches([parts[0].take(array(rows))]) if len(parts) == 1 else table.take(array(rows))


def plain(table: pa.Table) -> list[Row]:
    """Rows as plain values; dates are nanoseconds, for Python's own stop at microseconds."""
    from pyarrow import int64, types

    if not table.num_rows:
        return []
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        columns[name] = (column.cast(int64()) if types.is_timestamp(column.type) else column).to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _different(table: pa.Table, columns: tuple[str, ...]) -> list[Row]:
    """The different rows of these columns, in the order in which they first come."""
    names = [name for name in columns if name in table.column_names]
    return plain(table.select(names).group_by(names, use_threads=False).aggregate([])) if names else []


def _count(correlation: Correlation, rows: pa.Table) -> int:
    """Operations that the rows stand for; a point is one."""
    if correlation.table is POINT:
        return rows.num_rows
    counts: list[int | None] = rows.column("ot.count").to_pylist()
    return sum(1 if count is None else count for count in counts)
