"""By HTTPS POST, multipart, under an Idempotency-Key that stays the same. Without a clear answer it is in doubt, unless the receiver is said to know these."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from records.errors import UsageError
from reports.channel import TIMEOUT_S, Channel, DoubtError, LaterError, RefusedError, secret, trusting, untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.channel import Parcel, Wrong

KEYS: Final = frozenset({"url", "ca", "token_env", "token_file", "idempotent"})


def deliver(settings: Mapping[str, Any], parcel: Parcel, doubtful: Callable[[], None]) -> str:
    """One POST; the status that it was taken with. Redirects are not followed."""
    place = urlsplit(parcel.to)
    body, boundary = _multipart(parcel)
    head = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(len(body)), "Idempotency-Key": parcel.id}
    if token := secret(settings, "token"):
        if not (token.isascii() and token.isprintable()):
            raise UsageError("deliver.token")
        head["Authorization"] = f"Bearer {token}"
    asked = False
    connection = _connection(settings, place.scheme, place.hostname or "", place.port)
    connection.putrequest("POST", (place.path or "/") + (f"?{place.query}" if place.query else ""))  # written before anything is sent, or in doubt
    for name, value in head.items():
        connection.putheader(name, value)
    try:
        connection.connect()
        if not settings.get("idempotent"):
            doubtful()
            asked = True
        connection.endheaders(body)
        response = connection.getresponse()
        status, when = response.status, response.getheader("Retry-After")
    except ssl.SSLCertVerificationError as error:
        raise untrusted(place.netloc, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise (DoubtError if asked else LaterError)(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if 200 <= status < 300:
        return f"HTTP {status}"
    # RFC 9110, 15.5 and RFC 6585: with these it did not act on what was asked. So it is with a 503 that says when to ask again (15.6.4): who sheds load does
    # so before the work; one without it comes from gateways, too, that lost the server behind them midway, as 500, 502 and 504 do: in doubt.
    # A token that does not do (401) can be mended.
    if status in {401, 408, 425, 429} or (status == 503 and when) or (status >= 500 and not asked):
        raise LaterError(f"HTTP {status}")
    raise (DoubtError if status >= 500 else RefusedError)(f"HTTP {status}")


def _connection(settings: Mapping[str, Any], scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=trusting(settings))


def _multipart(parcel: Parcel) -> tuple[bytes, str]:
    boundary, parts = f"balefire-{parcel.id}", list[bytes]()
    for file in parcel.files:
        name = file.name.replace('"', "")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        parts += [head.encode(), file.read_bytes(), b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), boundary


def unusable(settings: Mapping[str, Any]) -> Wrong | None:
    """What is neither true nor false: a text would count as true, "false" among them."""
    return None if isinstance(settings.get("idempotent", False), bool) else ("idempotent", "true, false")


CHANNEL: Final = Channel("webhook", KEYS, frozenset({"url"}), lambda settings: (str(settings["url"]),), deliver, frozenset({"ca", "token_file"}), unusable)
