"""One command a table of the store: rows that match, one page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from records.schema import LISTS, TABLES
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from balefire.screen import Screen
    from records.query import Query
    from records.store.contract import Store

PAGE: Final = 50_000  # rows at a time for machines, so that a long list needs little memory
SCREENFUL: Final = 50
JUDGED: Final = ("finding", "alert", "incident")


def table_commands() -> list[click.Command]:
    """The commands that list rows."""
    return [_command(name, table) for name, table in LISTS.items()]


def _command(name: str, table: str) -> click.Command:
    def run(screen: Screen, as_json: bool, sort: str, limit: int | None, after: str, **told: str | None) -> None:
        from records.asking import asked

        query = asked(TABLES[table], told["since"], told["until"], told["where"], sort, after)
        store = opened(screen)
        try:
            if as_json:
                _lines(screen, store, table, query, limit)
            else:
                _page(screen, store, table, query, limit or SCREENFUL)
        finally:
            store.close()

    options = (
        click.option("--since", metavar="T", help=say("cli.option.since", HELP)),
        click.option("--until", metavar="T", help=say("cli.option.until", HELP)),
        click.option("--where", metavar="SEARCH", help=say("cli.option.where", HELP)),
        click.option("--sort", default="", metavar="[-]FIELD", help=say("cli.option.sort", HELP)),
        click.option("--limit", type=click.IntRange(min=1, max=1 << 31), metavar="N", help=say("cli.option.limit", HELP)),
        click.option("--after", default="", metavar="ID", help=say("cli.option.after", HELP)),
    )
    made = speaks(run)
    for option in (keeps, *reversed(options)):
        made = option(made)
    return click.command(name, help=say(f"cli.help.{name}", HELP))(made)


def _lines(screen: Screen, store: Store, table: str, query: Query, limit: int | None) -> None:
    from records.nesting import rows

    for page in _pages(store, table, query, limit):
        for row in rows(table, page):
            screen.emit(row)


def _pages(store: Store, table: str, query: Query, limit: int | None) -> Iterator[pa.Table]:
    """Pages of the asked rows, each after the last row of the one before."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = store.read(table, replace(query, limit=size))
        yield page
        if page.num_rows < size:
            return
        left = None if left is None else left - page.num_rows
        query = replace(query, after=page.column("id")[-1].as_py())


def _page(screen: Screen, store: Store, table: str, query: Query, limit: int) -> None:
    from balefire.rows import shown
    from records.store.columns import flat

    if table == "coverage" and not query.after:
        from balefire.covering import tell_coverage

        if tell_coverage(screen, store, query, limit):
            return
    rows = flat(TABLES[table], store.read(table, replace(query, limit=limit)))
    if not rows:
        screen.note(" ".join([screen.say("cli.nothing"), *_reach(screen, store, table, query)]))
        return
    if table in ("activity", "point"):
        _name_devices(store, rows)
    screen.print(shown(table, rows, screen.language))
    total = store.count(table, query)
    if total > len(rows):
        screen.note(screen.say("cli.more", shown=len(rows), total=f"{total:,}", after=rows[-1]["id"]))


def _name_devices(store: Store, rows: list[dict[str, Any]]) -> None:
    """Points know the address of their device alone, and frames that are not IP a MAC address; people know names."""
    from records.query import Query
    from records.search import Match, Or
    from records.store.columns import flat

    sides = {side: [_unnamed(row, side) for row in rows] for side in ("source", "destination")}
    wanted = {address for found in sides.values() for address in found if address}
    where = Or(tuple(Match("addresses", address) for address in sorted(wanted)))
    names = {address: row["name"] for row in flat(TABLES["asset"], store.read("asset", Query(where=where))) for address in row["addresses"]}
    for side, found in sides.items():
        for row, address in zip(rows, found, strict=True):
            if address in names:
                row[f"{side}.asset.name"] = names[address]


def _unnamed(row: dict[str, Any], side: str) -> str | None:
    """The address of a side that has no name of its own."""
    address = row.get(f"{side}.ip") or row.get(f"{side}.mac")
    return address if row.get(f"{side}.asset.name") in (None, address) else None


def _reach(screen: Screen, store: Store, table: str, query: Query) -> list[str]:
    """That nothing was found holds for what was seen: the coverage of the period that was asked for."""
    if table not in JUDGED:
        return []
    from balefire.screen import cut
    from dashboards.queries import coverage, grade
    from records.query import Span

    newest = store.newest()
    until = query.until if query.until is not None else (newest or 0) + 1
    share = grade(coverage(store, Span(query.since or 0, until)))
    return [screen.say("cli.uncovered") if share is None else screen.say("cli.covered", grade=cut(share, screen.language))]
