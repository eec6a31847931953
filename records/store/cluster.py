"""The way to an Elasticsearch: its address, who we are to it, and what its refusals mean.

An address is `https://host:9200`, with `#name` behind it where several stores share a cluster (`balefire` where nothing is said). Secrets come from the
environment alone, or from a file that it names, never from the address: everybody on a machine may read the command lines of others.
"""

from __future__ import annotations

import logging
import os
import random
import re
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import elasticsearch
from elastic_transport import NodeConfig, TlsError, TransportError, Urllib3HttpNode
from elastic_transport.client_utils import DEFAULT
from elasticsearch import Elasticsearch
from urllib3 import Timeout
from urllib3.exceptions import ConnectTimeoutError

from records.errors import StoreError, UsageError
from records.store.contract import AWAY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from elastic_transport import HttpHeaders

T = TypeVar("T")
PREFIX: Final = "balefire"
VARIABLE: Final = "BALEFIRE_ELASTICSEARCH_"
CONNECT_S: Final = 5.0  # until somebody takes a connection: whoever is asked may be long about an answer, but a host that drops packets is told from that
TIMEOUT_S: Final = 60.0
FIRST_S: Final = 10.0  # for its version, which a node that is well says at once, however much it has to do: who answers nothing is known before much is asked
VERSIONS: Final = (8, 9)  # the client asks for what version 8 answers, which 9 takes too, and 10 refuses: it goes back to the version before it alone
for _name in ("elastic_transport", "elasticsearch"):
    logging.getLogger(_name).addHandler(logging.NullHandler())  # what they would print on stderr by themselves is said in our words
FORBIDDEN: Final = frozenset({"elastic.forbidden", "elastic.outside"})  # StoreErrors of an answer 403
_GONE: Final = {"index_closed_exception": "elastic.closed", "index_not_found_exception": "elastic.missing"}
_CAUSES: Final = (  # what the libraries below say of a connection that failed, and what it means; the first that fits
    ("Fingerprints did not match", "elastic.tls_fingerprint"),
    ("certificate is not valid for", "elastic.tls_name"),
    ("doesn't match", "elastic.tls_name"),
    ("certificate has expired", "elastic.tls_time"),
    ("certificate is not yet valid", "elastic.tls_time"),
    ("CERTIFICATE_VERIFY_FAILED", "elastic.tls_authority"),
    ("WRONG_VERSION_NUMBER", "elastic.tls_none"),
    ("EOF occurred", "elastic.disconnected"),
    ("BadStatusLine", "elastic.not_http"),
    ("Connection aborted", "elastic.disconnected"),
    ("Connection broken", "elastic.disconnected"),
)
_PATHLESS: Final = frozenset({"elastic.failed", "elastic.missing", "elastic.product", *FORBIDDEN})  # what comes of a path that leads nowhere
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.]*(-[a-z0-9_.]+)*")


@dataclass(frozen=True, slots=True)
class Address:
    """The nodes of a cluster, and the name of the store in it. `shown` is the whole as it was given."""

    urls: tuple[str, ...]
    prefix: str
    shown: str

    @property
    def private(self) -> bool:
        """Whether nobody on the way can read along: TLS, or this machine itself."""
        return self.urls[0].startswith("https:") or all(_loopback(urlsplit(url).hostname or "") for url in self.urls)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(where: str) -> Address:
    """The parts of a store's address; several nodes stand with commas between them: `https://a:9200,b:9200`, also whole. Raises UsageError."""
    scheme, _, rest = where.partition("://")
    rest, _, prefix = rest.replace(f",{scheme}://", ",").partition("#")
    hosts, _, path = rest.partition("/")
    if "@" in rest:
        raise UsageError("elastic.credentials", where=f"{scheme}://{rest.rpartition('@')[2]}", user=f"{VARIABLE}USER", password=f"{VARIABLE}PASSWORD_FILE")
    prefix = prefix or PREFIX
    if not _NAME.fullmatch(prefix) or len(prefix) > 64:
        raise UsageError("elastic.prefix", prefix=prefix)
    urls = tuple(_node(f"{scheme.lower()}://{host.strip()}", path.rstrip("/"), where) for host in hosts.split(","))
    return Address(urls, prefix, where)


def _node(origin: str, path: str, where: str) -> str:
    """One node as the client wants it: with its port."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise UsageError("elastic.address", where=where) from None
    if not host or "?" in path or path.startswith("/"):  # another scheme in the middle
        raise UsageError("elastic.address", where=where)
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port}" + (f"/{path}" if path else "")


class Node(Urllib3HttpNode):
    """One of the places that are asked."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self.pool.timeout = Timeout(connect=CONNECT_S, read=TIMEOUT_S)  # the client has but one for both

    def perform_request(self, method: str, target: str, body: bytes | None = None, headers: HttpHeaders | None = None, request_timeout: Any = DEFAULT) -> Any:
        """Of one request, too, that waits less long for its answer."""
        timeout: Any = request_timeout if request_timeout is DEFAULT else Timeout(connect=CONNECT_S, read=request_timeout)
        return super().perform_request(method, target, body, headers, timeout)


def connected(place: Address) -> Elasticsearch:
    """A client that asks once: whoever asks knows what may be asked again."""
    given: dict[str, Any] = {"node_class": Node, "max_retries": 0, "retry_on_timeout": False}
    user, password, key = _set("USER"), _secret("PASSWORD"), _secret("API_KEY")
    if key:
        given["api_key"] = key
    elif user:
        given["basic_auth"] = (user, password)
    if (key or user) and not place.private:
        raise UsageError("elastic.plain", place=place.shown)
    if place.urls[0].startswith("https:"):
        given |= _trusted()
    try:
        return Elasticsearch(list(place.urls), **given)
    except ValueError as error:
        raise UsageError("elastic.settings", reason=error) from error


def _trusted() -> dict[str, str]:
    """By what we know the server."""
    given: dict[str, str] = {}
    if fingerprint := _set("FINGERPRINT"):
        if not re.fullmatch("[0-9a-fA-F]{64}", fingerprint.replace(":", "")):
            raise UsageError("elastic.fingerprint", variable=f"{VARIABLE}FINGERPRINT")
        given["ssl_assert_fingerprint"] = fingerprint
    if ca := _set("CA"):
        try:
            ssl.create_default_context(cafile=ca)
        except ssl.SSLError as error:
            raise UsageError("elastic.no_certificate", variable=f"{VARIABLE}CA", file=ca) from error
        except OSError as error:
            raise UsageError("elastic.file", variable=f"{VARIABLE}CA", file=ca) from error
        given["ca_certs"] = ca
    return given


def _set(name: str) -> str:
    return os.environ.get(VARIABLE + name, "")


def _secret(name: str) -> str:
    """A secret, as it is or from the file that is named in its place."""
    if not (file := _set(f"{name}_FILE")):
        return _set(name)
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError("elastic.file", variable=f"{VARIABLE}{name}_FILE", file=file) from None


@contextmanager
def hinting(place: Address) -> Generator[None]:
    """Where nothing of Elasticsearch answers under the path of an address, that was rather meant for the store's name."""
    try:
        yield
    except StoreError as error:
        url = urlsplit(place.urls[0])
        if not (path := url.path.strip("/")) or error.key not in _PATHLESS:
            raise
        raise StoreError("elastic.path", problem=error, path=path, advice=f"{url.scheme}://{url.netloc}#{path}") from error


def check_version(client: Elasticsearch, place: Address) -> str:
    """The server's version. Raises StoreError for one that is too old or too new; a user who may not ask is not asked."""
    try:
        version = str(client.info()["version"]["number"])
    except KeyError:  # an index that is called as the path of the address
        raise StoreError("elastic.product", place=place.shown) from None
    except elasticsearch.AuthorizationException:
        return ""
    except elasticsearch.ApiError as error:
        if error.status_code not in {400, 405}:  # some builds do not answer at the root
            raise
        nodes: dict[str, Any] = client.nodes.info(node_id="_local", filter_path="nodes.*.version")["nodes"]
        version = min(str(node["version"]) for node in nodes.values())
    if not VERSIONS[0] <= int(version.split(".")[0]) <= VERSIONS[1]:
        raise StoreError("elastic.version", place=place.shown, found=version, least=VERSIONS[0], most=VERSIONS[1])
    return version


class Cluster:
    """A cluster that may be away for a moment: what it was asked is asked again, for `patience` seconds. Everything we ask may be asked twice."""

    def __init__(self, place: Address, patience: float = 0) -> None:
        self.place = place
        self.patience = patience
        self.client = connected(place)

    def version(self) -> str:
        """That of the server. Raises StoreError for one that is too old or too new, or silent."""
        client = self.client.options(request_timeout=FIRST_S)
        return self.ask(lambda: check_version(client, self.place), FIRST_S)

    def ask(self, question: Callable[[], T], within: float = TIMEOUT_S) -> T:
        """The answer; `within` are the seconds that each try has for it. Raises StoreError."""
        end, pause, tries = time.monotonic() + self.patience, 0.1, len(self.place.urls)
        while True:
            try:
                with guard(self.place, within):
                    return question()
            except StoreError as error:
                tries -= 1
                if error.key not in AWAY or (tries <= 0 and time.monotonic() > end):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that writers do not come back all at once
            pause = min(5.0, pause * 2)

    def bulk(self, lines: Sequence[Any], index: str | None = None, passing: Collection[int] = (), *, refresh: bool = False) -> list[int]:
        """Do all of these actions, so that they can be found where `refresh`; the status of each. Raises StoreError for one refused with none of `passing`."""
        if not lines:  # the server refuses an empty request
            return []
        answer = self.ask(lambda: self.client.bulk(operations=lines, index=index, refresh=refresh))
        items = [next(iter(item.values())) for item in answer["items"]]
        for told in items:
            if told["status"] > 299 and told["status"] not in passing:
                raise refusal(self.place, int(told["status"]), told.get("error", {}))
        return [int(told["status"]) for told in items]


@contextmanager
def guard(place: Address, within: float = TIMEOUT_S) -> Generator[None]:
    """What goes wrong between us and the cluster, as StoreErrors that say what to do; `within` are the seconds that there were for an answer."""
    try:
        yield
    except elasticsearch.UnsupportedProductError as error:
        raise StoreError("elastic.product", place=place.shown) from error
    except elasticsearch.ApiError as error:
        raise refusal(place, error.status_code, error.body) from error
    except elasticsearch.ConnectionTimeout as error:
        seconds = CONNECT_S if isinstance(error.__cause__, ConnectTimeoutError) else within
        raise StoreError("elastic.timeout", place=place.shown, seconds=f"{seconds:g}") from error
    except TransportError as error:
        said = str(error.message)  # as text it only says "TLS error"
        otherwise = "elastic.tls" if isinstance(error, TlsError) else "elastic.unreachable"
        key = next((key for words, key in _CAUSES if words in said), otherwise)
        raise StoreError(key, place=place.shown, reason=(said.splitlines() or [type(error).__name__])[0][:300]) from error


def refusal(place: Address, status: int, body: object) -> StoreError:
    """What an answer of this status means; `body` is the answer, or the error of one item of a bulk request."""
    kind, reason = _told(body)
    shown = place.shown
    if kind == "cluster_block_exception":
        if "flood-stage" in reason or "read-only-allow-delete" in reason:
            return StoreError("elastic.watermark", place=shown)
        if "read-only" in reason or "index write (api)" in reason:
            return StoreError("elastic.read_only", place=shown, reason=reason)
        return StoreError("elastic.red", place=shown, reason=reason)
    if kind == "validation_exception" and "maximum" in reason and "shards open" in reason:
        return StoreError("elastic.shards", place=shown, reason=reason)
    if kind == "media_type_header_exception":
        return StoreError("elastic.newer", place=shown, reason=reason, most=VERSIONS[1])
    if status == 413:
        return StoreError("elastic.too_large", place=shown, reason=reason or "413")
    if kind in _GONE:
        return StoreError(_GONE[kind], place=shown, index=_index(body))
    if status == 401:
        return StoreError("elastic.unauthorized", place=shown)
    if status == 403:
        if not f"{place.prefix}-".startswith(f"{PREFIX}-"):  # what the shipped roles cover
            return StoreError("elastic.outside", place=shown, reason=reason, prefix=place.prefix)
        return StoreError("elastic.forbidden", place=shown, reason=reason)
    if status in {408, 429}:
        return StoreError("elastic.busy", place=shown, reason=reason)
    if status in {502, 503, 504}:
        return StoreError("elastic.red", place=shown, reason=reason)
    return StoreError("elastic.failed", place=shown, status=status, reason=f"{kind}: {reason}" if kind else reason)


def _index(body: object) -> str:
    """The index that an error is about."""
    told: Any = cast("dict[str, Any]", body).get("error", body) if isinstance(body, dict) else {}
    return str(cast("dict[str, Any]", told).get("index", "?")) if isinstance(told, dict) else "?"


def _told(body: object) -> tuple[str, str]:
    """(the type of an error, its reason), as Elasticsearch words them."""
    error: Any = cast("dict[str, Any]", body).get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return "", str(error or "")[:300]
    told = cast("dict[str, Any]", error)
    cause: dict[str, Any] = told.get("caused_by") or {}
    reason = " ".join(str(part["reason"]) for part in (told, cause) if part.get("reason"))
    return str(told.get("type") or ""), reason[:500]
