"""Keys that reports are signed with: Ed25519. A private key is kept under a passphrase (scrypt, ChaCha20-Poly1305), in a file for its owner alone."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from records.errors import StoreError, UsageError
from records.homes import expanded
from records.regular import opened
from records.secret import first_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PASSPHRASE: Final = "BALEFIRE_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
SHORTEST: Final = 12  # letters of a passphrase
COST: Final = 1 << 16  # of scrypt: 64 MiB, some 0.2 s
PURPOSE: Final = b"balefire ledger key v1"
PUBLIC: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can sign; `public` is how it is named everywhere: the 64 hex digits of its public half."""

    public: str
    private: Ed25519PrivateKey

    def sign(self, octets: bytes) -> str:
        """The signature, 128 hex digits."""
        return self.private.sign(octets).hex()


def signed(public: str, signature: str, octets: bytes) -> bool:
    """Whether the key with this public half signed these octets."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not PUBLIC.fullmatch(public) or not re.fullmatch(r"[0-9a-f]{128}", signature):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), octets)
    except (InvalidSignature, ValueError):
        return False
    return True


def passphrase_file(environment: Mapping[str, str], file: str = "") -> str:
    """The file whose first line it is; empty where that is none, or the passphrase itself is in the environment."""
    return "" if environment.get(PASSPHRASE) else environment.get(PASSPHRASE + "_FILE") or file


def passphrase(environment: Mapping[str, str], file: str = "") -> str:
    """From `BALEFIRE_KEY_PASSPHRASE`, else the first line of the file that `BALEFIRE_KEY_PASSPHRASE_FILE` or the settings name. Raises UsageError."""
    if found := environment.get(PASSPHRASE):
        return found
    if not (named := passphrase_file(environment, file)):
        raise UsageError("key.no_passphrase", variable=PASSPHRASE)
    try:
        return first_line(named)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("key.passphrase_file", file=named, problem=error) from error


def make(folder: Path, words: str) -> Key:
    """A new key, kept in this folder as `<16 digits>.key` (0600), its public half beside it as `.pub`. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(words) < SHORTEST:
        raise UsageError("key.short", least=SHORTEST)
    private = Ed25519PrivateKey.generate()
    key = Key(private.public_key().public_bytes_raw().hex(), private)
    salt, nonce = os.urandom(16), os.urandom(12)
    box = _cipher(words, salt, COST).encrypt(nonce, private.private_bytes_raw(), PURPOSE + key.public.encode())
    kept = {"public": key.public, "cost": COST, **{name: base64.b64encode(each).decode() for name, each in (("salt", salt), ("nonce", nonce), ("box", box))}}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(folder / f"{key.public[:16]}.key", json.dumps(kept).encode() + b"\n", 0o600)
        _create(folder / f"{key.public[:16]}.pub", key.public.encode() + b"\n", 0o644)
    except OSError as error:
        raise UsageError("key.unwritable", file=folder, problem=error.strerror or error) from error
    return key


def load(folder: Path, public: str, words: str) -> Key:
    """The key with this public half. Raises UsageError: not here, open to others, another passphrase, not a key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    file = folder / f"{public[:16]}.key"
    kept = _kept(file)
    try:
        salt, nonce, box = (base64.b64decode(kept[name], validate=True) for name in ("salt", "nonce", "box"))
        cost = int(kept["cost"])
        if not 1 << 14 <= cost <= 1 << 20 or cost & (cost - 1):
            raise ValueError(cost)
        private = Ed25519PrivateKey.from_private_bytes(_cipher(words, salt, cost).decrypt(nonce, box, PURPOSE + public.encode()))
    except InvalidTag:
        raise UsageError("key.wrong_passphrase", file=file) from None
    except (KeyError, TypeError, ValueError):
        raise UsageError("key.broken", file=file) from None
    return Key(private.public_key().public_bytes_raw().hex(), private)


def held(folder: Path) -> list[str]:
    """The public halves of the keys in this folder."""
    return sorted(str(_kept(file, closed=False).get("public", "")) for file in folder.glob("*.key")) if folder.is_dir() else []


def read_public(given: str) -> str:
    """A public key as people give it: 64 hex digits, or a file that holds them. Raises UsageError."""
    text = given.strip().lower()
    if PUBLIC.fullmatch(text):
        return text
    try:
        with opened(expanded(given)) as there:
            text = there.read(10_000).decode("ascii").strip().lower()
    except FileNotFoundError:
        raise UsageError("key.no_file", text=given) from None
    except (OSError, ValueError, StoreError) as error:
        raise UsageError("key.public", text=given, problem=(error.strerror if isinstance(error, OSError) else None) or error) from None
    if not PUBLIC.fullmatch(text):
        raise UsageError("key.public", text=given, problem="≠ [0-9a-f]{64}")
    return text


def _kept(file: Path, *, closed: bool = True) -> dict[str, Any]:
    try:
        with opened(file) as there:
            if closed and os.fstat(there.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError("key.open", file=file)
            found: object = json.loads(there.read(10_000))
    except FileNotFoundError:
        raise UsageError("key.missing", file=file) from None
    except OSError as error:
        raise UsageError("key.unreadable", file=file, problem=error.strerror or error) from error
    except ValueError:
        raise UsageError("key.broken", file=file) from None
    if not isinstance(found, dict):
        raise UsageError("key.broken", file=file)
    return cast("dict[str, Any]", found)


def _create(file: Path, octets: bytes, mode: int) -> None:
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(number, "wb") as opened:
        opened.write(octets)
        opened.flush()
        os.fsync(opened.fileno())


def _cipher(words: str, salt: bytes, cost: int) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return ChaCha20Poly1305(Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(words.encode("utf-8")))
