"""A store that is away at the start is waited for; what is wrong with one that is there is said at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from balefire import awaiting
from balefire.screen import Screen
from balefire.settings import Settings
from records.errors import StoreError, UsageError
from tests.test_elastic_errors import answering

if TYPE_CHECKING:
    from pathlib import Path


class Heard(Screen):
    """Keeps what it says."""

    def note(self, text: str) -> None:
        said.append(text)


said: list[str] = []


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said.clear()
    monkeypatch.setattr("balefire.awaiting.RETRY_S", 0.05)
    monkeypatch.setattr("balefire.awaiting.LOOK_S", 0.01)
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))


@pytest.mark.parametrize(
    ("status", "kind", "key"),
    [(401, "security_exception", "elastic.unauthorized"), (400, "illegal_argument_exception", "elastic.failed")],
)
def test_what_is_wrong_with_one_that_is_there_ends_it_at_once(status: int, kind: str, key: str) -> None:
    with answering(status, {"error": {"type": kind, "reason": "no"}}) as (url, _), pytest.raises(StoreError) as caught:
        awaiting.awaited(Heard(Settings(), "en", url), lambda: False)
    assert (caught.value.key, said) == (key, [])


@pytest.mark.parametrize("where", ["http://127.0.0.1:99999", "http://127.0.0.1:9#Ab", "ftp://127.0.0.1"])
def test_what_is_no_address_ends_it_at_once(where: str) -> None:
    with pytest.raises(UsageError):
        awaiting.awaited(Heard(Settings(), "en", where), lambda: False)
    assert not said


def test_one_that_nobody_answers_for_is_waited_for_and_that_is_said_once() -> None:
    """Until it is over: then what is not judged is said."""
    end, away = time.monotonic() + 0.3, list[str]()
    with pytest.raises(StoreError) as caught:
        awaiting.awaited(Heard(Settings(), "en", "http://127.0.0.1:9"), lambda: time.monotonic() > end, lambda: away.append("away"))
    assert (caught.value.key, away, len(said)) == ("spool.unheard", ["away"], 1)
    assert "Nobody answers at http://127.0.0.1:9" in said[0]
    assert time.monotonic() > end


def test_one_that_starts_is_waited_for(tmp_path: Path) -> None:
    """An Elasticsearch answers with 503 before it is up."""
    screen = Heard(Settings(), "en", "")
    with answering(503, {"error": {"type": "unavailable", "reason": "starting"}}, root=False) as (screen.store, asked):

        def over() -> bool:
            if len(asked) > 2:
                screen.store = str(tmp_path / "store")  # where one is
            return False

        awaiting.awaited(screen, over).close()
    assert len(said) == 2
    assert "The store is away" in said[0]
    assert "The store is there" in said[1]
