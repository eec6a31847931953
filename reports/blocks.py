"""What a printed report is made of: sections of texts, tables and charts. Every form of it, page or spreadsheet, shows the same ones."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cell:
    """A text; `value` is the number behind it, for a spreadsheet; `kind` is how it is set: number, mono, strong, muted, short (one line), or a severity.

    `unit`: of a number that its text says in another one: `seconds` or `bytes`; `behind`: what of the text comes after it.
    """

    text: str
    value: float | None = None
    kind: str = ""
    unit: str = ""
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `empty` is said where there are no rows."""

    title: str
    head: list[str]
    rows: list[list[Cell]]
    note: str = ""
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One chapter: a word for it, its title, the sentence that says how to read it, and what stands in it."""

    name: str
    title: str
    note: str = ""
    tables: list[Table] = field(default_factory=list[Table])
    chart: str = ""
    texts: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Fact:
    """A number of the first page with what it is out of: none stands alone."""

    value: str
    of: str
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A term of the index: its points of as many as there can be, and where they come from."""

    label: str
    points: float
    most: int
    reason: str


@dataclass(frozen=True, slots=True)
class Front:
    """The first page."""

    title: str
    place: str
    when: str
    note: str
    level: str
    tag: str
    sentence: str
    beside: str
    index: str
    index_label: str
    interval: str
    scale: str
    facts: list[Fact]
    bars: list[Bar]
    bars_title: str
    compared: Table
    chart: str
    chart_title: str
    chart_note: str
    unseen_title: str
    unseen: list[str]


@dataclass(frozen=True, slots=True)
class Printed:
    """A whole report in one language."""

    language: str
    identity: str
    foot: str
    front: Front
    sections: list[Section]
