"""The reference of every field, made from the schema: `python -m records.docs > docs/schema.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from records.schema import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.schema import Field, Table

_HEAD: Final = f"""# What Balefire records · 记录的内容

Schema version {SCHEMA_VERSION}. Made by `python -m records.docs > docs/schema.md`; do not edit.
结构版本 {SCHEMA_VERSION}。由 `python -m records.docs > docs/schema.md` 生成，请勿修改。

In a search, write the name as it stands here: `ot.access:write`. In JSON the name is nested at its dots. Dates are nanoseconds UTC; JSON shows them
as ISO 8601 with 9 fractional digits. A type in brackets is a list. A row's time (for `--since`, `--until` and the default order) is marked ⏱.

搜索时按此处名称书写：`ot.access:write`。JSON 中名称按点嵌套。时间为 UTC 纳秒，JSON 中为带 9 位小数的 ISO 8601。方括号表示列表。
⏱ 为该行的时间（用于 `--since`、`--until` 与默认排序）。
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(line for table in TABLES.values() for line in _section(table))])


def _section(table: Table) -> Iterator[str]:
    yield f"## {table.name}\n"
    yield "| field · 字段 | type · 类型 | meaning | 含义 |"
    yield "|---|---|---|---|"
    for field in table.fields:
        yield f"| `{field.name}`{' ⏱' if field.name == table.time else ''} | {_type(field)} | {field.en} | {field.zh} |"
    yield ""


def _type(field: Field) -> str:
    return f"[{field.type}]" if field.many else field.type


if __name__ == "__main__":
    sys.stdout.write(page())
