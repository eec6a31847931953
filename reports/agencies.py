"""The agencies towards which a plant may have duties: those that `records/wording/agencies.toml` names. Accounts are bound to them."""

from typing import Final

from records.wording import catalogue

AGENCIES: Final = tuple(key.removeprefix("agency.") for key in catalogue() if key.startswith("agency."))
