"""Who talks to whom: the graph of assets, zones and conduits, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.graph import Edge, Graph

FORMS: Final = ("json", "graphml", "stix")
SHOWN: Final = 40


@click.command(help=say("cli.help.graph", HELP))
@click.option("--since", metavar="TIME", help=say("cli.option.since", HELP))
@click.option("--until", metavar="TIME", help=say("cli.option.until", HELP))
@click.option("--where", metavar="SEARCH", help=say("cli.option.where", HELP))
@click.option("--format", "form", type=click.Choice(FORMS), help=say("cli.option.graph_format", HELP))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=say("cli.option.graph_output", HELP))
@click.option("--force", is_flag=True, help=say("evidence.option.force", HELP))
@keeps
@speaks
def graph(screen: Screen, since: str | None, until: str | None, where: str | None, form: str | None, output: Path | None, force: bool, as_json: bool) -> None:
    """Print the graph, or write it to a file."""
    from balefire.screen import escaped
    from detectors import graph as graphs
    from records.asking import moments
    from records.plant import KeptPlant
    from records.query import Query
    from records.schema import ACTIVITY
    from records.search import parse

    if output is not None and not force and output.exists():
        raise UsageError("evidence.exists", file=output)
    first, last = moments(since, until)
    store = opened(screen)
    try:
        made = graphs.build(store, Query(first, last, parse(where, ACTIVITY) if where else None), KeptPlant(store).plant)
    finally:
        store.close()
    text = {"json": graphs.as_json, "graphml": graphs.as_graphml, "stix": graphs.as_stix}[form or "json"](made)
    text = escaped(text, "&#x{0:x};") if form == "graphml" else escaped(text)
    if output is not None:
        _write(output, text)
        screen.note(screen.say("cli.graph.written", file=output, nodes=len(made.nodes), edges=len(made.edges)))
    elif as_json or form:
        click.echo(text)
    else:
        _show(screen, made)
    if made.cut:
        screen.note(screen.say("cli.graph.cut"))


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError("unwritable", file=output, reason=error.strerror or error) from None


def _show(screen: Screen, made: Graph) -> None:
    """Conduits between zones, then who talks to whom, busiest first."""
    from balefire.screen import table
    from sensors.statements import is_group

    names = {node.id: node.name for node in made.nodes}

    def lines(edges: tuple[Edge, ...], zones: bool) -> list[list[str]]:
        def called(end: str) -> str:
            if zones:
                return end or screen.say("cli.graph.no_zone")
            name = names.get(end, end or "–")
            return screen.say("detectors.phrase.everybody") if is_group(name) else name

        return [[called(edge.source), called(edge.destination), ", ".join(edge.protocols), _deeds(screen, edge), f"{edge.count:,}"] for edge in edges]

    for heading, edges, zones in (("conduits", made.conduits, True), ("edges", made.edges, False)):
        if zones and not any(edge.source or edge.destination for edge in edges):
            continue  # no asset has a zone
        columns = [(screen.say(f"cli.column.{name}"), name == "count") for name in ("source", "destination", "protocols", "effects", "count")]
        screen.print(screen.say(f"cli.graph.{heading}"))
        screen.print(table(columns, lines(edges[:SHOWN], zones)))
        if len(edges) > SHOWN:
            screen.note(screen.say("cli.graph.more", count=len(edges) - SHOWN))


def _deeds(screen: Screen, edge: Edge) -> str:
    """The effects in words; what only protocols that serve the network do (ARP, DNS) does nothing to a plant, whatever it is counted by."""
    from detectors.phrases import deed
    from sensors.protocol import protocols

    spoken = [protocol for protocol in protocols() if protocol.name in edge.protocols]
    own = {function.effect for protocol in spoken if not protocol.infrastructure for function in protocol.functions.values()}
    serving = {function.effect for protocol in spoken if protocol.infrastructure for function in protocol.functions.values()} - own
    words = [screen.say("cli.graph.serving") if effect in serving else deed(effect, screen.language) for effect in edge.effects]
    return screen.say("detectors.phrase.comma").join(dict.fromkeys(words))
