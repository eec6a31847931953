"""Whose rows these are, and what their identities are salted with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

Name = str | Callable[[], str]


class Origin:
    """An observer at a site. Its name and the digest of its capture are asked for when the first row needs them: a digest takes as long as reading does."""

    def __init__(self, observer: Name, site: str | None, capture: Name = "") -> None:
        self.site = site
        self._observer, self._capture = observer, capture

    @cached_property
    def observer(self) -> str:
        """Its name."""
        return said(self._observer)

    @cached_property
    def salt(self) -> str:
        """Tells its identities from those of others; with the capture's digest, where one observer has several captures."""
        capture = said(self._capture)
        return f"{self.observer}\x1f{capture}" if capture else self.observer


def said(name: Name) -> str:
    """The name itself, asked for where it has to be."""
    return name if isinstance(name, str) else name()
