"""Rows into Elasticsearch, each identity once: bulk requests by size, and what comes back from them.

A row is created under its identity. Where one is there already, it is ours from a request that was sent twice, or somebody's that counts (the same, or
a conflict), or left by a writer that died: then it is taken over. What the mapping refuses goes to the dead letters, and the rest is written.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError
from records.schema import TABLES
from records.store.cluster import refusal
from records.store.columns import agree, content, document
from records.store.documents import OWN, compact, finished, flat_of, labels_of, once
from records.store.presence import NOTE, Presence
from records.store.rendering import bodies
from records.store.templates import BY_PERIOD, DAY, LEDGER, period_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from records.schema import Table
    from records.store.cluster import Cluster
    from records.store.ledger import Ledger, Page
    from records.store.templates import Names

LARGEST: Final = 2 << 20  # octets of a bulk request
HOUR: Final = 3_600_000_000_000  # how finely the last write to an index is kept
ASKED: Final = 1000  # identities of a multi-get
SHOWN: Final = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.index,items.*.error.caused_by"
_BUSY: Final = frozenset({429, 503})
_REFUSING: Final = frozenset({"document_parsing_exception", "mapper_parsing_exception", "strict_dynamic_mapping_exception"})  # errors of a document
_TOO_LONG: Final = "immense term"  # so are those of a general type with this in their reason


@dataclass(frozen=True, slots=True)
class Entry:
    """A row on its way: its table, index and identity, its number in the commit, its document."""

    table: str
    index: str
    id: str
    time: int
    number: int
    document: bytes


@dataclass(slots=True)
class Outcome:
    """What became of rows."""

    new: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list[str])
    refused: list[Entry] = field(default_factory=list[Entry])
    touched: set[str] = field(default_factory=set[str])


class DeadLetters:
    """A file with what the store refused, a line each, once each: when, where to, why, the document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[bytes] = set()
        self._read = 0  # octets of the file

    def put(self, letters: Sequence[tuple[Entry, str]], now: int) -> None:
        """Keep these, unless they are there; they are on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._look()
        with self.path.open("a", encoding="utf-8") as file:
            for entry, reason in letters:
                document = json.loads(entry.document)
                if (key := _key(entry.index, entry.id, document)) not in self._known:
                    self._known.add(key)
                    letter = {"time": now, "index": entry.index, "id": entry.id, "reason": reason, "document": document}
                    file.write(json.dumps(letter, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _look(self) -> None:
        """Learn what was added to the file since, by others too; from its beginning where it is another one. A line that is no letter is left alone."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self._read:
            self._known, self._read = set(), 0
        if size == self._read:
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                    letter = json.loads(line)
                    self._known.add(_key(letter["index"], letter["id"], letter["document"]))
            self._read = file.tell()

    def count(self) -> int:
        """How many there are."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            return sum(1 for _ in file)


def _key(index: str, identity: str, document: dict[str, Any]) -> bytes:
    """What a letter is known by: its row, and what that holds."""
    return blake2b(f"{index}\0{identity}\0{document[OWN]['content']}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Indexer:
    """Writes rows of commits into the indices of one store."""

    def __init__(self, cluster: Cluster, names: Names, ledger: Ledger, period: str, dead: DeadLetters) -> None:
        self.cluster, self.names, self.ledger, self.period, self.dead = cluster, names, ledger, period, dead
        self.presence = Presence(cluster, names)
        self._there: set[str] = set()
        self._dated: dict[str, int] = {}

    def entries(self, table: str, rows: Iterable[dict[str, Any]], commit: int) -> Iterator[Entry]:
        """Flat rows of a table with one index as entries of a commit."""
        kind, index, now = TABLES[table], self.names.of(table), time.time_ns()
        for number, row in enumerate(rows):
            own = {"commit": commit, "row": number, "written": now}
            yield Entry(table, index, row["id"], row[kind.time], number, once(kind, row, own))

    def arrow_entries(self, table: str, data: pa.Table, commit: int) -> Iterator[Entry]:
        """The rows of an Arrow table that has an index a period, as entries of a commit."""
        days: dict[int, str] = {}
        for number, body in enumerate(bodies(TABLES[table], data)):
            day = body.time // DAY
            if day not in days:
                days[day] = self.names.at(table, period_of(body.time, self.period))
            yield Entry(table, days[day], body.id, body.time, number, finished(body, {"commit": commit, "row": number}))

    def create(self, entries: Iterable[Entry], commit: int, outcome: Outcome) -> None:
        """Create rows that belong to a commit, a request at a time; the next one is put together while the server is at work."""
        requests = _requests(entries)
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(next, requests, None)
            while request := following.result():
                following = pool.submit(next, requests, None)
                self._create(request, commit, outcome)

    def _create(self, entries: list[Entry], commit: int, outcome: Outcome) -> None:
        self.ledger.beat(commit)
        for index in sorted({entry.index for entry in entries}):
            self.ensure(index)
        there = self._sent([({"create": {"_index": entry.index, "_id": entry.id}}, entry) for entry in entries], outcome)
        outcome.touched |= {entry.index for entry in entries}
        while there:
            there = self._resolve(there, commit, outcome)

    def finish(self, touched: set[str], now: int) -> None:
        """Rows in these indices can be found, and their retention counts from `now`."""
        if not touched:
            return
        dated = {index for index in touched if self._dated.get(index, 0) < now}
        hour = (now // HOUR + 1) * HOUR
        if dated:
            self._note(sorted(dated), hour)
            self._dated |= dict.fromkeys(dated, hour)
            self.presence.add(dated)
        self.cluster.ask(lambda: self.cluster.client.indices.refresh(index=sorted(touched)))  # also finds out whether one was retired meanwhile

    def _note(self, indices: list[str], hour: int) -> None:
        """These were written to by `hour`. What another writer has noted as later stays: nobody's clock shortens what others have to keep."""
        ledger = self.names.of(LEDGER)
        while indices:
            names = [f"{NOTE}{index}" for index in indices]
            found = self.cluster.ask(lambda names=names: self.cluster.client.mget(index=ledger, ids=names))["docs"]
            lines: list[Any] = []
            for name, row in zip(names, found, strict=True):
                if not (there := bool(row.get("found"))):
                    self._missed(row)
                seen = {"if_seq_no": row["_seq_no"], "if_primary_term": row["_primary_term"]} if there else {}
                later = max(hour, row["_source"]["written"]) if there else hour
                lines += [{"index" if there else "create": {"_id": name} | seen}, {"written": later}]
            told = self.cluster.bulk(lines, index=ledger, passing=(409,), refresh=True)
            indices = [index for index, status in zip(indices, told, strict=True) if status == 409]  # noted by another meanwhile: read it again

    def ensure(self, index: str) -> None:
        """The index is there. Of one with whole tables it is noted that it has to stay; one of a period is noted when its rows can be found."""
        if index not in self._there:
            client = self.cluster.client.options(ignore_status=400)  # 400: it is there already
            answer: dict[str, Any] = self.cluster.ask(lambda: client.indices.create(index=index)).body
            if answer.get("error", {}).get("type") not in {None, "resource_already_exists_exception"}:
                raise refusal(self.cluster.place, 400, answer)
            if strangers(self.cluster, self.names, [index]):
                raise StoreError("elastic.foreign", place=self.cluster.place.shown, index=index)
            if "error" not in answer and self.names.table_of(index) not in BY_PERIOD:
                self.cluster.bulk([{"create": {"_id": f"{NOTE}{index}"}}, {"written": 0}], index=self.names.of(LEDGER), passing=(409,), refresh=True)
                self.presence.add([index])
            self._there.add(index)

    def forget(self, index: str) -> None:
        """The index has been dropped."""
        self._there.discard(index)
        self._dated.pop(index, None)

    def _sent(self, actions: Sequence[tuple[dict[str, Any], Entry]], outcome: Outcome) -> list[Entry]:
        """Send actions until each is done or refused; those whose identity is there in another form than they said."""
        there: list[Entry] = []
        waiting, pause, end = list(actions), 0.1, time.monotonic() + max(self.cluster.patience, 1.0)
        while waiting:
            later: list[tuple[dict[str, Any], Entry]] = []
            letters: list[tuple[Entry, str]] = []
            for (action, entry), item in zip(waiting, self._items(waiting), strict=True):
                status = int(item["status"])
                if status < 300:
                    outcome.new += 1
                elif status == 409:
                    there.append(entry)
                elif status == 400 and _refuses(item["error"]):
                    letters.append((entry, _reason(item)))
                elif status in _BUSY and "block" not in str(item["error"].get("type")) and time.monotonic() < end:
                    later.append((action, entry))
                else:
                    raise refusal(self.cluster.place, status, item["error"])
            if letters:
                self.dead.put(letters, time.time_ns())
                outcome.refused += [entry for entry, _ in letters]
            if later:
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that writers do not come back all at once
                pause = min(5.0, pause * 2)
            waiting = later
        return there

    def _items(self, actions: Sequence[tuple[dict[str, Any], Entry]]) -> list[dict[str, Any]]:
        lines: list[Any] = [line for action, entry in actions for line in (compact(action).encode("utf-8", "surrogatepass"), entry.document)]
        answer = self.cluster.ask(lambda: self.cluster.client.bulk(operations=lines, filter_path=SHOWN))
        return [next(iter(item.values())) for item in answer["items"]]

    def _resolve(self, entries: list[Entry], commit: int, outcome: Outcome) -> list[Entry]:
        """Rows whose identity is there: what is it? Those that were taken over by somebody meanwhile are to be looked at again."""
        found = self._found(entries)
        page = self.ledger.read()
        others = {own["commit"] for own, _ in found.values()} - {commit}
        if undecided := {number for number in others if not page.counts(number) and not page.dead(number)}:
            self.cluster.ask(lambda: self.cluster.client.indices.refresh(index=sorted({entry.index for entry in entries})))
            page = self.ledger.decided(undecided)
        taken, others_say = list[tuple[dict[str, Any], Entry]](), list[Entry]()
        for entry in entries:
            own, version = found.get((entry.index, entry.id), ({}, {}))
            place = {"_index": entry.index, "_id": entry.id}
            if not own:  # it has gone since
                taken.append(({"create": place}, entry))
            elif own["commit"] == commit and own["row"] == entry.number:  # ours, of a request whose answer was lost
                outcome.new += 1
            elif not page.counts(own["commit"], commit):
                taken.append(({"index": place | version}, entry))
            elif own["content"] == json.loads(entry.document)[OWN]["content"]:
                outcome.known += 1
            else:
                others_say.append(entry)
        self._compare(others_say, outcome)
        return self._sent(taken, outcome)

    def _compare(self, entries: Sequence[Entry], outcome: Outcome) -> None:
        """Rows that are there with another content: no conflict where a field is told that did not exist when those were stored."""
        for start in range(0, len(entries), ASKED):
            part = entries[start : start + ASKED]
            docs = [{"_index": entry.index, "_id": entry.id} for entry in part]
            answer = self.cluster.ask(lambda docs=docs: self.cluster.client.mget(docs=docs))
            for entry, row in zip(part, answer["docs"], strict=True):
                if entry.table not in BY_PERIOD and row.get("found") and _agrees(TABLES[entry.table], row["_source"], json.loads(entry.document)):
                    outcome.known += 1
                else:
                    outcome.conflicts.append(f"{entry.table}/{entry.id}")

    def _found(self, entries: Sequence[Entry]) -> dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]:
        """What the store added to rows that are there, and their versions."""
        found: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}
        for start in range(0, len(entries), ASKED):
            wanted = [{"_index": entry.index, "_id": entry.id, "_source": [OWN]} for entry in entries[start : start + ASKED]]
            answer = self.cluster.ask(lambda wanted=wanted: self.cluster.client.mget(docs=wanted))
            for row in answer["docs"]:
                if row.get("found"):
                    version = {"if_seq_no": row["_seq_no"], "if_primary_term": row["_primary_term"]}
                    found[row["_index"], row["_id"]] = (row["_source"][OWN], version)
                else:
                    self._missed(row)
        return found

    def _missed(self, row: dict[str, Any]) -> None:
        """Raises StoreError unless a row that was not found is simply not there."""
        error = row.get("error")
        if error and error.get("type") != "index_not_found_exception":
            raise refusal(self.cluster.place, 503, error)
        if error:
            self.presence.look(row["_index"])

    def relabel(self, table: Table, rows: Sequence[dict[str, Any]]) -> int:
        """Put the labels of these flat rows into the documents that are there; how many there are. What is no label stays, and the digest holds."""
        indices: set[str] = set()
        for start in range(0, len(rows), ASKED):
            lines: list[Any] = []
            for row in rows[start : start + ASKED]:
                index = self.names.at(table.name, period_of(row[table.time], self.period)) if table.name in BY_PERIOD else self.names.of(table.name)
                lines += [{"update": {"_index": index, "_id": row["id"], "retry_on_conflict": 3}}, {"doc": labels_of(table, row)}]
                indices.add(index)
            self.cluster.bulk(lines, passing=(404,))
        if indices:
            self.cluster.ask(lambda: self.cluster.client.indices.refresh(index=sorted(indices)))
        return len(rows)

    def counted(self, table: str, ids: Iterable[str], page: Page) -> dict[str, dict[str, Any]]:
        """The documents of a table with these identities that count, whole; of tables with one index only."""
        found: dict[str, dict[str, Any]] = {}
        names, index = sorted(set(ids)), self.names.of(table)
        for start in range(0, len(names), ASKED):
            part = names[start : start + ASKED]
            docs = [{"_index": index, "_id": name} for name in part]
            answer = self.cluster.ask(lambda docs=docs: self.cluster.client.mget(docs=docs))
            for row in answer["docs"]:
                own = row.get("_source", {}).get(OWN, {})
                self._missed(row)
                if row.get("found") and ("commit" not in own or page.counts(own["commit"])):
                    found[row["_id"]] = row["_source"]
        return found


def strangers(cluster: Cluster, names: Names, indices: Sequence[str]) -> dict[str, bool]:
    """Of these indices (or patterns), those with rows that are not as our templates make them: what is written there is not found, or not as it is meant.

    Whether each only lacks its alias.
    """
    found = cluster.ask(lambda: cluster.client.indices.get(index=list(indices), features="aliases,mappings", ignore_unavailable=True)).body
    seen: dict[str, bool] = {}
    for index, body in found.items():
        table = names.table_of(index)
        if table is None:
            continue
        strict = body["mappings"].get("dynamic") == "strict"
        if not strict or (table in BY_PERIOD and names.of(table) not in body["aliases"]):
            seen[index] = strict
    return seen


def _agrees(table: Table, there: dict[str, Any], told: dict[str, Any]) -> bool:
    stored, given = (content(table, document(table, row)) for row in flat_of(table, [there, told]))
    return agree(stored, given)


def _requests(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries by the request."""
    waiting, size = list[Entry](), 0
    for entry in entries:
        waiting.append(entry)
        size += len(entry.document)
        if size >= LARGEST:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def told(refused: Sequence[Entry]) -> list[dict[str, Any]]:
    """Rows of coverage that say what was refused, one an observer: the same for the same rows."""
    observers: dict[tuple[str | None, str | None], list[Entry]] = {}
    for entry in refused:
        observer: dict[str, Any] = json.loads(entry.document).get("observer", {})
        observers.setdefault((observer.get("name"), observer.get("site")), []).append(entry)
    rows: list[dict[str, Any]] = []
    for (name, site), entries in observers.items():
        identity = blake2b("\0".join(["refused", *sorted(f"{entry.table}/{entry.id}" for entry in entries)]).encode(), digest_size=16).hexdigest()
        span = [entry.time for entry in entries]
        row = {"id": identity, "@timestamp": min(span), "event.start": min(span), "event.end": max(span), "refused": len(entries)}
        rows.append(row | {"observer.name": name, "observer.site": site})
    return rows


def _refuses(error: dict[str, Any]) -> bool:
    """Whether the mapping cannot hold the document. Any other error is one of the index or of the request: the row is as good as any."""
    return error.get("type") in _REFUSING or (error.get("type") == "illegal_argument_exception" and _TOO_LONG in str(error.get("reason")))


def _reason(item: dict[str, Any]) -> str:
    error = item.get("error", {})
    return " ".join(str(part) for part in (error.get("type"), error.get("reason"), error.get("caused_by", {}).get("reason", "")) if part)
