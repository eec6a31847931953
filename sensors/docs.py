"""What each protocol's dissector knows, made from its `Protocol` record: `python -m sensors.docs > docs/protocols.md`."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from records.effects import EFFECTS
from sensors.protocol import protocols

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.protocol import Protocol

_HEAD: Final = """# What Balefire dissects · 能解析的协议

Made by `python -m sensors.docs > docs/protocols.md` from the records in `sensors/protocols`; do not edit.
由 `python -m sensors.docs > docs/protocols.md` 根据 `sensors/protocols` 中的记录生成，请勿修改。

Recognised by content first, then by port. A function that a table does not have is shown by its number, counted as not
understood, and never dropped.

Depth: what is read besides the operation and its outcome. Values are points with a history, quality and time stand beside them; identity gives
facts of an asset, hosts are what a message says of addresses and names.
深度：除操作及其结果之外还能读出的内容。数值作为测点保存，并附带品质与时标；身份给出资产信息，主机指报文所述的地址与名称。
"""
_WORDS: Final = {
    "objects": "对象", "values": "数值", "quality": "品质", "cause": "传送原因", "identity": "身份", "hosts": "主机", "parts": "分段重组",
}  # fmt: skip


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_overview(), *(line for protocol in protocols() for line in _section(protocol))])


def _overview() -> Iterator[str]:
    yield "| protocol · 协议 | carried by · 承载 | depth · 深度 | functions · 功能 | anomalies · 异常 | errors · 错误码 | specification · 规范 |"
    yield "|---|---|---|--:|--:|--:|---|"
    for protocol in protocols():
        numbers = f"{len(protocol.functions)} | {len(protocol.anomalies)} | {len(protocol.errors)}"
        yield f"| [{protocol.title}](#{protocol.name}) | {_carried(protocol)} | {_depth(protocol)} | {numbers} | {protocol.spec.replace('|', 'or')} |"
    yield ""


def _carried(protocol: Protocol) -> str:
    ports = [f"tcp/{port}" for port in protocol.tcp] + [f"udp/{port}" for port in protocol.udp]
    ports += [f"EtherType 0x{number:04X}" for number in protocol.ethertypes]
    return ", ".join([*([protocol.over[0]] if protocol.over else []), *ports])


def _depth(protocol: Protocol) -> str:
    known = {
        "objects": protocol.spaces,
        "values": protocol.samples_each > 0 and protocol.tells is None,
        "quality": protocol.qualities,
        "cause": protocol.cause,
        "identity": protocol.identity,
        "hosts": protocol.tells,
        "parts": protocol.joins,
    }
    told = [word for word, there in known.items() if there]
    return f"{', '.join(told)} · {'、'.join(_WORDS[word] for word in told)}"


def _section(protocol: Protocol) -> Iterator[str]:
    yield f'## <a id="{protocol.name}"></a>{protocol.title} (`{protocol.name}`)\n'
    if protocol.spaces:
        yield f"Objects · 对象: {_listed(protocol.spaces)}\n"
    qualities = sorted({name for names in protocol.qualities.values() for name in names if name})
    if qualities:
        yield f"Quality of values · 品质: {_listed(qualities)}\n"
    if protocol.identity:
        yield f"Facts of the asset · 资产信息: {_listed(sorted(set(protocol.identity.values())))}\n"
    yield f"Anomalies · 异常: {_listed(protocol.anomalies)}\n"
    yield "| effect · 作用 | operations (code) · 操作（功能码） |"
    yield "|---|---|"
    by_effect: dict[str, list[str]] = defaultdict(list)
    for code, function in protocol.functions.items():
        by_effect[function.effect].append(f"`{function.name}` ({code.replace('*', '…')})")
    for effect in EFFECTS:
        if effect.name in by_effect:
            yield f"| `{effect.name}` | {', '.join(by_effect[effect.name])} |"
    yield ""


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page())
