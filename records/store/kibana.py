"""Kibana's view of a store: data views, and dashboards in each language, made from the schema: `python -m records.store.kibana deploy/kibana`.

Saved objects as `_import` of Kibana 8.9 and later takes them, a line each; those that others refer to come first. Panels are aggregation-based, for these
have kept their form since Kibana 7.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from records.schema import TABLES
from records.store.cluster import PREFIX
from records.store.templates import Names
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.schema import Table

Body = dict[str, Any]
VIEWS: Final = ("activity", "point", "finding", "alert", "suppression", "asset", "coverage", "audit")
ACTS: Final = "ot.access : (write or command or program or configure or file)"
VERSIONS: Final = {"index-pattern": "8.0.0", "search": "8.0.0", "visualization": "8.5.0", "dashboard": "8.9.0"}
WIDTH: Final = 48  # columns of a dashboard
HEIGHT: Final = 14
ROWS: Final = 10
SOURCE: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"  # what a panel calls its data view


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel asks a table: `metrics` are sums of fields, or a count where there are none; "{}" in a field is the language."""

    name: str
    table: str
    kind: str  # number, bars, list or rows
    query: str = ""
    metrics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    width: int = WIDTH // 2


BOARDS: Final[dict[str, tuple[Panel, ...]]] = {
    "situation": (
        Panel("open", "alert", "number", "not status : closed", width=12),
        Panel("findings", "finding", "bars", groups=("detector",), width=36),
        Panel("gravest", "alert", "list", "not status : closed and severity >= 60", ("count",), ("title.{}",)),
        Panel("rules", "finding", "list", "", (), ("title.{}", "rule")),
        Panel("sources", "finding", "list", groups=("source.ip",), width=16),
        Panel("devices", "finding", "list", groups=("destination.ip",), width=16),
        Panel("techniques", "finding", "list", groups=("techniques",), width=16),
    ),
    "activity": (
        Panel("access", "activity", "bars", "", ("ot.count",), ("ot.access",)),
        Panel("acts", "activity", "bars", ACTS, ("ot.count",), ("ot.effect",)),
        Panel("who", "activity", "list", ACTS, ("ot.count",), ("source.ip", "destination.ip", "ot.effect")),
        Panel("actions", "activity", "list", "", ("ot.count", "ot.bytes"), ("network.protocol", "event.action")),
        Panel(
            "acted", "activity", "rows", ACTS, (),
            ("source.ip", "destination.ip", "ot.unit", "event.action", "ot.effect", "ot.object.space", "ot.object.first", "ot.value", "event.outcome"), WIDTH,
        ),
    ),
    "coverage": (
        Panel("packets", "coverage", "bars", "", ("packets",), ("observer.name",)),
        Panel("lost", "coverage", "bars", "", ("lost",), ("observer.name",)),
        Panel("unseen", "coverage", "list", "", ("packets", "lost", "dropped", "one_sided", "shed", "refused"), ("observer.site", "observer.name"), WIDTH),
    ),
    "casework": (
        Panel("decided", "audit", "bars", groups=("action",)),
        Panel("people", "audit", "list", groups=("by", "action")),
        Panel("trail", "audit", "rows", groups=("by", "action", "table", "subject", "note"), width=WIDTH),
    ),
}  # fmt: skip


def objects(language: str) -> Iterator[Body]:
    """All saved objects of one language."""
    for name in VIEWS:
        yield _view(TABLES[name], language)
    for board, panels in BOARDS.items():
        yield from (_panel(panel, language) for panel in panels)
        yield _board(board, panels, language)


def _saved(kind: str, name: str, attributes: Body, references: list[Body]) -> Body:
    versions = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": VERSIONS[kind]}
    return {"id": name, "type": kind, "attributes": attributes, "references": references, **versions}


def _view(table: Table, language: str) -> Body:
    title = say("kibana.title", language, name=say(f"cli.store.tables.{table.name}", language))
    named = {field.name: {"customDescription": getattr(field, language)} for field in table.fields}
    told = {"title": Names(PREFIX).of(table.name), "name": title, "timeFieldName": table.time, "fieldAttrs": json.dumps(named, ensure_ascii=False)}
    return _saved("index-pattern", f"balefire-{language}-{table.name}", told, [])


def _panel(panel: Panel, language: str) -> Body:
    title = say(f"kibana.panel.{panel.name}", language)
    fields = [name.format(language) for name in panel.groups]
    asked: Body = {"query": {"query": panel.query, "language": "kuery"}, "filter": [], "indexRefName": SOURCE}
    attributes: Body = {"title": title, "description": "", "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(asked)}}
    kind = "search" if panel.kind == "rows" else "visualization"
    if kind == "search":
        attributes |= {"columns": fields, "sort": [[TABLES[panel.table].time, "desc"]]}
    else:
        drawn = {"title": title, **_drawn(panel, fields, language)}
        attributes |= {"visState": json.dumps(drawn, ensure_ascii=False), "uiStateJSON": "{}", "version": 1}
    views = [{"name": SOURCE, "type": "index-pattern", "id": f"balefire-{language}-{panel.table}"}]
    return _saved(kind, f"balefire-{language}-{panel.name}", attributes, views)


def _drawn(panel: Panel, fields: list[str], language: str) -> Body:
    """Kind, aggregations and parameters of a panel."""
    table = TABLES[panel.table]
    aggregations: list[Body] = [_aggregation(1, "count", "metric", {})] if not panel.metrics else []
    for number, name in enumerate(panel.metrics, 1):
        field = table.field(name)
        label = getattr(field, language) if field else name
        aggregations.append(_aggregation(number, "sum", "metric", {"field": name, "customLabel": label}))
    after = len(aggregations) + 1
    if panel.kind == "bars":
        aggregations.append(_aggregation(after, "date_histogram", "segment", {"field": table.time, "interval": "auto", "min_doc_count": 1}))
        after += 1
    for number, name in enumerate(fields, after):
        terms = {"field": name, "size": ROWS, "order": "desc", "orderBy": "1"}
        aggregations.append(_aggregation(number, "terms", "group" if panel.kind == "bars" else "bucket", terms))
    kinds = {"bars": ("histogram", _bars(aggregations[0])), "number": ("metric", _NUMBER), "list": ("table", _LIST)}
    kind, parameters = kinds[panel.kind]
    return {"type": kind, "aggs": aggregations, "params": parameters}


def _aggregation(number: int, kind: str, schema: str, parameters: Body) -> Body:
    return {"id": str(number), "enabled": True, "type": kind, "schema": schema, "params": parameters}


def _bars(metric: Body) -> Body:
    axis = {"show": True, "scale": {"type": "linear"}, "labels": {"show": True, "truncate": 100}, "title": {}}
    series = {"show": True, "type": "histogram", "mode": "stacked", "data": {"id": metric["id"], "label": ""}, "valueAxis": "ValueAxis-1"}
    return {
        "type": "histogram", "addTooltip": True, "addLegend": True, "legendPosition": "right", "addTimeMarker": False, "seriesParams": [series],
        "categoryAxes": [{"id": "CategoryAxis-1", "type": "category", "position": "bottom", **axis}],
        "valueAxes": [{"id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "left", **axis}],
    }  # fmt: skip


_NUMBER: Final[Body] = {
    "type": "metric", "addTooltip": True, "addLegend": False,
    "metric": {
        "percentageMode": False, "useRanges": False, "colorSchema": "Green to Red", "metricColorMode": "None", "colorsRange": [{"from": 0, "to": 10000}],
        "labels": {"show": True}, "invertColors": False, "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 60},
    },
}  # fmt: skip
_LIST: Final[Body] = {"perPage": ROWS, "showPartialRows": False, "showTotal": False, "totalFunc": "sum", "showMetricsAtAllLevels": False}


def _board(name: str, panels: tuple[Panel, ...], language: str) -> Body:
    """Panels side by side, a row after the other."""
    shown, references = list[Body](), list[Body]()
    x = y = 0
    for number, panel in enumerate(panels):
        if x + panel.width > WIDTH:
            x, y = 0, y + HEIGHT
        kind, key = "search" if panel.kind == "rows" else "visualization", f"panel_{number}"
        place = {"x": x, "y": y, "w": panel.width, "h": HEIGHT, "i": str(number)}
        shown.append({"type": kind, "panelIndex": str(number), "gridData": place, "embeddableConfig": {}, "panelRefName": key, "version": "8.9.0"})
        references.append({"name": f"{number}:{key}", "type": kind, "id": f"balefire-{language}-{panel.name}"})
        x += panel.width
    asked: Body = {"query": {"query": "", "language": "kuery"}, "filter": []}
    told: Body = {
        "title": say("kibana.title", language, name=say(f"kibana.board.{name}", language)), "description": say(f"kibana.about.{name}", language), "version": 1,
        "panelsJSON": json.dumps(shown), "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False}), "timeRestore": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(asked)},
    }  # fmt: skip
    return _saved("dashboard", f"balefire-{language}-{name}", told, references)


def file(language: str) -> str:
    """What the file of a language holds."""
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects(language))


if __name__ == "__main__":
    for code in LANGUAGES:
        Path(sys.argv[1], f"balefire-{code}.ndjson").write_text(file(code), "utf-8")
