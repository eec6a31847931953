"""A read-only interface for programs: the lists of the command line with the same search, JSON row for row as `--json` prints it; OpenAPI says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.access.gate import language_of
from dashboards.opening import opened
from records.asking import asked
from records.errors import BalefireError, StoreError, UsageError
from records.nesting import nest, rows
from records.schema import LISTS, TABLES
from records.wording import say

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from records.query import Query
    from records.schema import Field

FIRST: Final = 50
MOST: Final = 1000  # rows of an answer
WHOLE: Final = frozenset({"activity", "point"})  # of these there are so many that only the whole identity is looked up
PARAMETERS: Final = ("since", "until", "where", "sort", "limit", "after")
TYPES: Final[dict[str, dict[str, Any]]] = {
    "keyword": {"type": "string"}, "text": {"type": "string"}, "ip": {"type": "string"}, "json": {}, "long": {"type": "integer"},
    "double": {"type": "number"}, "boolean": {"type": "boolean"}, "date": {"type": "string", "format": "date-time"},
}  # fmt: skip


class MissingError(UsageError):
    """There is none of this name."""


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise UsageError("api.limit", given=text, most=MOST)
    return int(text)


def _query(table: str, given: dict[str, str]) -> Query:
    """Raises UsageError naming the parameter that is wrong."""
    for name in given:
        if name not in PARAMETERS:
            raise UsageError("api.parameter", name=name, names=", ".join(PARAMETERS))
    since, until, where, sort, after = (given.get(name, "") for name in ("since", "until", "where", "sort", "after"))
    return asked(TABLES[table], since, until, where, sort, after, _limit(given.get("limit", str(FIRST))))


def _table(name: str) -> str:
    if name not in LISTS:
        raise MissingError("api.list", name=name, names=", ".join(LISTS))
    return LISTS[name]


def _listed(name: str, given: dict[str, str]) -> dict[str, Any]:
    table = _table(name)
    query = _query(table, given)
    page = opened().read(table, query)
    more = page.num_rows == query.limit
    return {"rows": list(rows(table, page)), "after": page.column("id")[-1].as_py() if more else None}


def _one(name: str, identity: str) -> dict[str, Any]:
    """The row of this identity, or the one whose identity begins so, as on pages and in commands."""
    store, table = opened(), _table(name)
    row = store.get(table, identity)
    begun = store.find(identity, (table,)) if row is None and identity and table not in WHOLE else []
    if len(begun) > 1:
        raise MissingError("ambiguous", id=identity, ids=", ".join(found for _, found in begun))
    row = store.get(table, begun[0][1]) if begun else row
    if row is None:
        raise MissingError("api.row", list=name, id=identity)
    return nest(row)


async def _answer(request: Request, work: Any, *given: Any) -> Response:
    """What this work gives, off the loop; what is wrong with the question or the store, as its status."""
    try:
        return JSONResponse(await anyio.to_thread.run_sync(work, *given), headers={"Cache-Control": "no-store"})
    except BalefireError as error:
        status = 404 if isinstance(error, MissingError) else 503 if isinstance(error, StoreError) else 400
        return JSONResponse({"error": {"key": error.key, "text": error.text(language_of(request.headers))}}, status)


async def listed(request: Request) -> Response:
    """GET /api/{list}."""
    return await _answer(request, _listed, request.path_params["name"], dict(request.query_params))


async def one(request: Request) -> Response:
    """GET /api/{list}/{id}."""
    return await _answer(request, _one, request.path_params["name"], request.path_params["id"])


async def described(_: Request) -> Response:
    """GET /api/openapi.json, and /api."""
    return JSONResponse(openapi())


def _property(field: Field) -> dict[str, Any]:
    told = {**TYPES[field.type], "description": field.en}
    return {"type": "array", "items": told} if field.many else told


def openapi() -> dict[str, Any]:
    """What there is to ask, in the words of OpenAPI 3.1. Names with dots stand for nested objects in the answers."""
    texts = {name: say(f"api.{name}", "en") for name in PARAMETERS}
    parameters: list[dict[str, Any]] = [{"name": name, "in": "query", "description": text, "schema": {"type": "string"}} for name, text in texts.items()]
    parameters[PARAMETERS.index("limit")]["schema"] = {"type": "integer", "minimum": 1, "maximum": MOST, "default": FIRST}
    wrong = {"description": "what is wrong, and how to mend it", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}
    paths: dict[str, Any] = {}
    for name, table in LISTS.items():
        row = {"$ref": f"#/components/schemas/{table}"}
        page = {"type": "object", "properties": {"rows": {"type": "array", "items": row}, "after": {"type": ["string", "null"]}}}
        text = say(f"api.{'whole' if table in WHOLE else 'begun'}", "en")
        identity = {"name": "id", "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
        paths[f"/api/{name}"] = {"get": {"summary": say(f"cli.help.{name}", "en"), "parameters": parameters, "responses": _responses(page, wrong, "400")}}
        paths[f"/api/{name}/{{id}}"] = {"get": {"summary": f"one of the {name}", "parameters": [identity], "responses": _responses(row, wrong, "404")}}
    error = {"type": "object", "properties": {"error": {"type": "object", "properties": {"key": {"type": "string"}, "text": {"type": "string"}}}}}
    schemas = {table: {"type": "object", "properties": {field.name: _property(field) for field in TABLES[table].fields}} for table in LISTS.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Balefire", "version": "1", "description": say("api.about", "en")},
        "paths": paths,
        "components": {"schemas": schemas | {"error": error}, "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
        "security": [{"basic": []}, {}],
    }


def _responses(schema: dict[str, Any], wrong: dict[str, Any], status: str) -> dict[str, Any]:
    return {"200": {"description": "found", "content": {"application/json": {"schema": schema}}}, status: wrong, "401": wrong, "503": wrong}


ROUTES: Final = (Route("/api", described), Route("/api/openapi.json", described), Route("/api/{name}", listed), Route("/api/{name}/{id:path}", one))
