"""Errors about what a user gave: each names place and fix in the reader's language, and carries its exit status."""

from __future__ import annotations

from records.wording import say


class BalefireError(Exception):
    """Something a person can mend. `key` names a text `error.<key>` of the catalogues, `values` fill it in."""

    status = 3

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    def text(self, language: str) -> str:
        """The whole message in `language` ("en" or "zh"), and what of it is an error or a `Text` itself."""
        values = {name: value.text(language) if isinstance(value, BalefireError) else getattr(value, language, value) for name, value in self.values.items()}
        return say(f"error.{self.key}", language, **values)

    def __str__(self) -> str:
        return self.text("en")


class InputError(BalefireError):
    """Some input was bad or cut off; the rest is done (exit status 3)."""


class UsageError(BalefireError):
    """Usage, settings, a search that does not parse, a path that does not exist (exit status 2)."""

    status = 2


class StoreError(BalefireError):
    """The store failed (exit status 4)."""

    status = 4


class ConflictError(BalefireError):
    """Somebody changed meanwhile what was to be changed; nothing was (exit status 1)."""

    status = 1
