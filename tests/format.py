"""What FORMAT.md tells of the linter comes from the catalogue: `python -m tests.format` pastes it anew, `tests/test_lint.py` says when that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.checking import checks
from detectors.rulebook.load import own_rules
from detectors.rulebook.problems import ADVICE
from records.wording import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK: Final = "<!-- checks -->"
_PREFIX, _SUFFIX = "detectors.lint.", ".message"


def pasted() -> str:
    """FORMAT.md with every check between its marks."""
    names = sorted(key.removeprefix(_PREFIX).removesuffix(_SUFFIX) for key in catalogue() if key.startswith(_PREFIX) and key.endswith(_SUFFIX))
    hints = {*checks(), *ADVICE}
    before, _, after = (own_rules() / "FORMAT.md").read_text("utf-8").split(MARK)
    parts = ("These keep a rule out:", _table(name for name in names if name not in hints), "These do not:", _table(name for name in names if name in hints))
    return f"{before}{MARK}\n" + "\n\n".join(parts) + f"\n{MARK}{after}"


def _table(names: Iterable[str]) -> str:
    rows = [f"| `{name}` | {catalogue()[f'{_PREFIX}{name}{_SUFFIX}']['en'].replace('{{', '{').replace('}}', '}')} |" for name in names]
    return "\n".join(["| check | says |", "|---|---|", *rows])


if __name__ == "__main__":
    (own_rules() / "FORMAT.md").write_text(pasted(), "utf-8")
