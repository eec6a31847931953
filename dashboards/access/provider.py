"""The plant's own identity provider, where one is set: whom to ask who somebody is."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from dashboards.access.sessions import access

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "BALEFIRE_OIDC__"  # as the settings are called in the environment


@dataclass(frozen=True, slots=True)
class Provider:
    """Whom to ask. `issuer`: its address, below which it tells its own settings; `claim`: what of its answer is the account's name; `url`: this dashboard's
    address as browsers know it, where a proxy stands before it.
    """

    issuer: str
    client: str
    secret_file: str = ""
    claim: str = "email"
    url: str = ""

    def environment(self) -> dict[str, str]:
        """What the dashboard's process is told."""
        return {f"{PREFIX}{field.name.upper()}": getattr(self, field.name) for field in fields(self)}


def provider(environment: Mapping[str, str] | None = None) -> Provider | None:
    """The one that is set; None where there is none, or nobody has to log in."""
    told = os.environ if environment is None else environment
    given = {field.name: told.get(f"{PREFIX}{field.name.upper()}", "") for field in fields(Provider)}
    return Provider(**{name: value for name, value in given.items() if value}) if given["issuer"] and given["client"] and access() is not None else None
