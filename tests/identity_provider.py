"""An identity provider as OpenID Connect has it, small and of this machine: what it says of whom can be made wrong, one thing at a time."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

if TYPE_CHECKING:
    from collections.abc import Generator

CLIENT = "balefire-of-this-plant"
SECRET = "a secret of the provider"


@dataclass
class Provider:
    """`claims` is what it says of whoever comes; `wrong` is what of it is not as it should be."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "4711", "email": "anna@plant.example", "email_verified": True})
    wrong: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    other: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))

    def configuration(self) -> dict[str, Any]:
        """What it tells of itself."""
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
        }  # fmt: skip

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes next, as if somebody had logged in here."""
        assert (query["client_id"], query["response_type"], query["code_challenge_method"]) == (CLIENT, "code", "S256")
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The token of a code, once, for who began with it."""
        asked = self.codes.pop(form.get("code", ""), None)
        shown = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or shown != asked["code_challenge"] or authorization != f"Basic {known}" or self.wrong == "token":
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"], **self.claims}
        claims |= {
            "issuer": {"iss": "https://elsewhere.example"}, "audience": {"aud": "another"}, "nonce": {"nonce": "another"},
            "expired": {"iat": now - 9000, "exp": now - 8000},
        }.get(self.wrong, {})  # fmt: skip
        key = self.other if self.wrong == "signature" else self.key
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        return 200, {"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": signed}


@contextmanager
def identity_provider() -> Generator[Provider]:
    """One that answers until the end of the block."""
    told = Provider()

    class Answers(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
            """Say nothing."""

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", told.authorize({name: values[-1] for name, values in parse_qs(place.query).items()}))
                self.end_headers()
            elif place.path == "/keys":
                self._say(200, {"keys": [told.key.as_dict(private=False)]})
            else:
                self._say(200, told.configuration())

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._say(*told.token({name: values[-1] for name, values in form.items()}, self.headers.get("Authorization", "")))

        def _say(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield told
        server.shutdown()
