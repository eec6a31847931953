"""By e-mail: SMTP (RFC 5321) with TLS, a mail for each receiver. Until the last line of a mail is sent a server cannot have taken it (section 4.1.1.4)."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import closing
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from typing import TYPE_CHECKING, Any, Final

from records.errors import UsageError
from reports.channel import TIMEOUT_S, Channel, DoubtError, LaterError, RefusedError, is_here, secret, trusting, untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.channel import Parcel, Wrong

KEYS: Final = frozenset({"host", "port", "tls", "ca", "from", "to", "user", "password_env", "password_file"})
TLS: Final = ("starttls", "implicit", "none")
CHUNK: Final = 64 << 10
TYPES: Final = {
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # of attachments that people open; all else, pages and what is signed, stays octets that nothing on the way may rewrite


def deliver(settings: Mapping[str, Any], parcel: Parcel, doubtful: Callable[[], None]) -> str:
    """One mail to one receiver; what the server said when it took it."""
    try:
        return _sent(settings, parcel.to, message(settings, parcel), doubtful)
    except ValueError as error:  # an address that SMTP cannot say: letters beyond ASCII, a line end; that shows before DATA
        raise RefusedError(f"{parcel.to}: {error}") from error


def _sent(settings: Mapping[str, Any], to: str, body: bytes, doubtful: Callable[[], None]) -> str:
    sent = False
    try:
        with closing(_connected(settings)) as server:
            _answered(server.mail(str(settings["from"])))
            _answered(server.rcpt(to))
            _answered(server.docmd("DATA"), 354)
            for start in range(0, len(body), CHUNK):
                server.send(body[start : start + CHUNK])
            doubtful()
            sent = True
            server.send(b".\r\n")
            return _ended(server.getreply())
    except ssl.SSLCertVerificationError as error:
        raise untrusted(str(settings["host"]), error) from error
    except (smtplib.SMTPException, OSError) as error:  # a password that is refused (535) among them: it can be mended
        raise (DoubtError if sent else LaterError)(str(error) or type(error).__name__) from error


def _connected(settings: Mapping[str, Any]) -> smtplib.SMTP:
    host, port, tls = str(settings["host"]), int(settings.get("port", 587)), str(settings.get("tls", "starttls"))
    context = trusting(settings)
    implicit = tls == "implicit"
    server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context) if implicit else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    try:
        if not implicit and tls != "none":
            server.starttls(context=context)
        server.ehlo_or_helo_if_needed()
        if user := settings.get("user"):
            server.login(str(user), secret(settings, "password") or "")
    except BaseException:
        server.close()
        raise
    return server


def _answered(reply: tuple[int, bytes], wanted: int = 250) -> str:
    """What the server said. Raises LaterError for 4xx (greylisting, a full disk), RefusedError for 5xx."""
    code, text = reply
    said = f"{code} {text.decode('utf-8', 'replace')}"
    if code == wanted or (wanted == 250 and code == 251):
        return said
    if 400 <= code < 500 or code == -1:
        raise LaterError(said)
    raise RefusedError(said)


def _ended(reply: tuple[int, bytes]) -> str:
    """What the server said after the last line: only a clear no (4xx, 5xx) is one; all else but a yes is a DoubtError, a garbled line (-1) among it."""
    code, text = reply
    if 400 <= code < 600 or code == 250:
        return _answered(reply)
    raise DoubtError(f"{code} {text.decode('utf-8', 'replace')}")


def message(settings: Mapping[str, Any], parcel: Parcel) -> bytes:
    """The mail, ready for DATA but for its last line; its Message-ID stays the same, so that a receiver knows one that came twice."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = str(settings["from"]), parcel.to
    mail["Subject"] = " ".join(parcel.title.split())[:200]
    mail["Date"] = formatdate(localtime=False)
    mail["Message-ID"] = f"<{parcel.id}@{str(settings['from']).rpartition('@')[2] or 'balefire'}>"
    mail.set_content("\n".join(file.name for file in parcel.files) + f"\n\nbalefire verify {parcel.files[0].name} --key …\n")
    for file in parcel.files:
        main, _slash, sub = TYPES.get(file.suffix, "application/octet-stream").partition("/")
        mail.add_attachment(file.read_bytes(), maintype=main, subtype=sub, filename=file.name)
    octets = mail.as_bytes()
    quoted = octets.replace(b"\r\n.", b"\r\n..")
    quoted = b"." + quoted if quoted.startswith(b".") else quoted
    return quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n"


def receivers(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """One or several addresses."""
    given = settings["to"]
    return tuple(map(str, given)) if isinstance(given, list) else (str(given),)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def unusable(settings: Mapping[str, Any]) -> Wrong | None:
    """What no mail could go by, or would go by in clear."""
    tls, host = settings.get("tls", TLS[0]), str(settings["host"])
    if tls not in TLS:
        return "tls", ", ".join(TLS)
    if tls == "none" and not is_here(host):
        return "tls", UsageError("deliver.clear", host=host)
    if not _sayable(str(settings["from"])):
        return "from", "balefire@plant.example"
    if not (to := receivers(settings)) or not all(map(_sayable, to)):
        return "to", "[desk@agency.example]"
    if ("user" in settings) != bool(settings.keys() & {"password_env", "password_file"}):
        return next(name for name in settings if name in {"user", "password_env", "password_file"}), "user + password_file | user + password_env"
    return None


def _sayable(address: str) -> bool:
    """Whether SMTP can say it: ASCII without a blank or line end, with a name before it or not."""
    plain = parseaddr(address)[1]
    return address.isprintable() and bool(plain) and plain.isascii() and " " not in plain


CHANNEL: Final = Channel("mail", KEYS, frozenset({"host", "from", "to"}), receivers, deliver, frozenset({"ca", "password_file"}), unusable)
