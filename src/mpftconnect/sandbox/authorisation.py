"""The authorisation server in front of the NHS APIs: OAuth 2.0 client credentials with a signed JWT.

Source: NHS England API platform, "Application-restricted RESTful APIs - signed JWT authentication": `alg` RS512,
`typ` JWT, `kid`; `iss` = `sub` = API key, `aud` = the token URL, `jti` unique, `exp` at most five minutes ahead.
Statuses and words of the refusals: the end-to-end tests of the platform's identity service for that grant
(client credentials). `expires_in` is a string there, and so it is here.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from mpftconnect.adapters import TwinRequest, TwinResponse, json_response
from mpftconnect.fhir import parse_json

__all__ = ["AuthorisationServer"]

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_ASSERTION_SECONDS = 300


class _Denied(Exception):
    def __init__(self, description: str, status: int = 400, error: str = "invalid_request") -> None:
        super().__init__(description)
        self.description, self.status, self.error = description, status, error


@lru_cache(maxsize=1)
def _key_pair() -> RSAKey:
    # Making one takes a noticeable part of a second; every twin of a process shares it.
    return RSAKey.generate_key(2048, private=True)


class AuthorisationServer:
    """Knows one application; gives it short-lived tokens, and knows them again.

    Args:
        token_lifetime_seconds: How long a token is good for.
        now: The time of day, seconds since 1970; for tests.
    """

    path = "/oauth2/token"

    def __init__(self, *, token_lifetime_seconds: float, now: Callable[[], float]) -> None:
        self.api_key = secrets.token_urlsafe(24)
        self.key_id = f"sandbox-{secrets.token_hex(4)}"
        self.tokens_given = 0
        self._lifetime = token_lifetime_seconds
        self._now = now
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}
        self._seen: dict[str, float] = {}

    @property
    def private_key_pem(self) -> str:
        """The application's private key, which the sandbox hands to its adapter."""
        return _key_pair().as_pem(private=True).decode("ascii")

    def handle(self, request: TwinRequest) -> TwinResponse:
        try:
            self._check(request)
        except _Denied as denied:
            body = {"error": denied.error, "error_description": denied.description, "message_id": str(uuid.uuid4())}
            return json_response(body, denied.status, content_type="application/json")
        body = {
            "access_token": self.grant(),
            "expires_in": str(int(self._lifetime)),
            "token_type": "Bearer",
            "issued_at": str(int(self._now() * 1000)),
        }
        return json_response(body, content_type="application/json")

    def grant(self) -> str:
        """A new token."""
        token = secrets.token_urlsafe(28)
        with self._lock:
            moment = self._now()
            self._tokens = {known: until for known, until in self._tokens.items() if until > moment}
            self._tokens[token] = moment + self._lifetime
            self.tokens_given += 1
        return token

    def revoke_all(self) -> None:
        """No token given so far is good any longer."""
        with self._lock:
            self._tokens.clear()

    def knows(self, token: str) -> bool:
        """Whether the token was given by this server and has not expired."""
        with self._lock:
            return self._tokens.get(token, float("-inf")) > self._now()

    def _check(self, request: TwinRequest) -> None:
        try:
            form = dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=20))
        except ValueError:
            form = {}
        match form.get("grant_type"):
            case None | "":
                raise _Denied("grant_type is missing")
            case "client_credentials":
                pass
            case _:
                raise _Denied("grant_type is invalid", error="unsupported_grant_type")
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise _Denied(f"Missing or invalid client_assertion_type - must be '{_ASSERTION_TYPE}'")
        assertion = form.get("client_assertion")
        if not assertion:
            raise _Denied("Missing client_assertion")
        self._check_claims(self._verified(assertion), request)

    def _verified(self, assertion: str) -> Mapping[str, Any]:
        try:
            parts = jws.extract_compact(assertion.encode("ascii"))
            header, claims = parts.headers(), parse_json(parts.payload)
        except Exception:  # noqa: BLE001 - whatever is wrong with a stranger's token, it is malformed
            raise _Denied("Malformed JWT in client_assertion") from None
        if not isinstance(claims, Mapping):
            raise _Denied("Malformed JWT in client_assertion")
        if not header.get("kid"):
            raise _Denied("Missing 'kid' header in client_assertion JWT")
        if header.get("typ") != "JWT":
            raise _Denied("Invalid 'typ' header in client_assertion JWT - must be 'JWT'")
        if not header.get("alg"):
            raise _Denied("Missing 'alg' header in client_assertion JWT")
        if header["alg"] != "RS512":
            raise _Denied("Invalid 'alg' header in client_assertion JWT - unsupported JWT algorithm - must be 'RS512'")
        if header["kid"] != self.key_id:
            raise _Denied("Invalid 'kid' header in client_assertion JWT - no matching public key", 401)
        try:
            jwt.decode(assertion, _key_pair(), algorithms=["RS512"])
        except JoseError:
            raise _Denied("JWT signature verification failed", 401) from None
        return claims

    def _check_claims(self, claims: Mapping[str, Any], request: TwinRequest) -> None:
        issuer, moment = claims.get("iss"), self._now()
        if not issuer or issuer != claims.get("sub"):
            raise _Denied("Missing or non-matching 'iss'/'sub' claims in client_assertion JWT")
        if issuer != self.api_key:
            raise _Denied("Invalid 'iss'/'sub' claims in client_assertion JWT", 401)
        if claims.get("aud") != request.base_url.rstrip("/") + self.path:
            raise _Denied("Missing or invalid 'aud' claim in client_assertion JWT", 401)
        expires = claims.get("exp")
        if expires is None:
            raise _Denied("Missing 'exp' claim in client_assertion JWT")
        if not isinstance(expires, int) or isinstance(expires, bool):
            raise _Denied("Invalid 'exp' claim in client_assertion JWT - must be an integer")
        if expires <= moment:
            raise _Denied("Invalid 'exp' claim in client_assertion JWT - JWT has expired")
        if expires > moment + _LONGEST_ASSERTION_SECONDS:
            raise _Denied("Invalid 'exp' claim in client_assertion JWT - more than 5 minutes in future")
        unique = claims.get("jti")
        if unique is None:
            raise _Denied("Missing 'jti' claim in client_assertion JWT")
        if not isinstance(unique, str) or not unique:
            raise _Denied("Invalid 'jti' claim in client_assertion JWT - must be a unique string value such as a GUID")
        with self._lock:
            self._seen = {known: until for known, until in self._seen.items() if until > moment}
            if unique in self._seen:
                raise _Denied("Non-unique 'jti' claim in client_assertion JWT")
            self._seen[unique] = expires
