"""The techniques of MITRE ATT&CK for ICS that a rule may name: those of v18, and those that v19 adds (https://attack.mitre.org/matrices/ics/)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from records.effects import EFFECTS, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable

TECHNIQUES: Final = frozenset({
    "T0800", "T0801", "T0802", "T0803", "T0804", "T0805", "T0806", "T0807", "T0809", "T0811", "T0812", "T0813", "T0814", "T0815", "T0816", "T0817",
    "T0819", "T0820", "T0821", "T0822", "T0823", "T0826", "T0827", "T0828", "T0829", "T0830", "T0831", "T0832", "T0834", "T0835", "T0836", "T0837",
    "T0838", "T0839", "T0840", "T0842", "T0843", "T0843.001", "T0843.002", "T0843.003", "T0845", "T0846", "T0846.001", "T0846.002", "T0846.003",
    "T0847", "T0848", "T0849", "T0851", "T0852", "T0853", "T0855", "T0856", "T0857", "T0858", "T0859", "T0860", "T0861", "T0862", "T0863", "T0864",
    "T0865", "T0866", "T0867", "T0868", "T0869", "T0871", "T0872", "T0873", "T0873.001", "T0874", "T0877", "T0878", "T0879", "T0880", "T0881",
    "T0882", "T0883", "T0884", "T0885", "T0886", "T0887", "T0888", "T0889", "T0890", "T0891", "T0892", "T0893", "T0894", "T0895", "T1691",
    "T1691.001", "T1691.002", "T1692", "T1692.001", "T1692.002", "T1693", "T1693.001", "T1693.002", "T1694", "T1694.001", "T1694.002", "T1695",
    "T1695.001", "T1695.002", "T1695.003",
})  # fmt: skip
REVOKED: Final = {  # what v19 calls anew, by what v18 calls it: rules may say either
    "T0803": "T1691.001", "T0804": "T1691.002", "T0805": "T1695.001", "T0812": "T1694.001", "T0839": "T1693.002", "T0855": "T1692.001",
    "T0856": "T1692.002", "T0857": "T1693.001", "T0891": "T1694.002",
}  # fmt: skip


def as_before(names: Iterable[str]) -> set[str]:
    """These techniques as v18 calls them: one of v19 that holds several is all of them, a sub-technique that is new is what it was part of."""
    return {old for name in names for old in [each for each, new in REVOKED.items() if new == name or new.startswith(f"{name}.")] or [name.partition(".")[0]]}


def techniques_of(effect: str | None) -> tuple[str, ...]:
    """The technique that an effect is, whatever rule sees it; none where looking is all that is done."""
    known = EFFECTS[NUMBER[effect]].technique if effect in NUMBER else ""
    return (known,) if known else ()
