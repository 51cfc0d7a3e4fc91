"""How a system is told who is calling. Secrets live here and are never recorded or shown.

`SignedJwtAuth` needs the extra `jwt` (joserfc, cryptography).
"""

from __future__ import annotations

import base64
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    ConfigurationError,
    NotPermitted,
    TimedOut,
    UsageError,
)
from mpftconnect.events import Code

if TYPE_CHECKING:
    from mpftconnect.adapters.answer import Answer
    from mpftconnect.adapters.contract import AdapterContext
    from mpftconnect.adapters.wire import Wire

__all__ = [
    "ApiKeyHeader",
    "Auth",
    "BasicAuth",
    "BearerToken",
    "ClientCredentialsAuth",
    "SignedJwtAuth",
    "Together",
    "auth_from",
]


class Auth(Protocol):
    """Adds credentials to the headers of a request. Called from several threads at once."""

    def apply(self, headers: Mapping[str, str], deadline: Deadline | None = None) -> dict[str, str]:
        """The headers with credentials added.

        Args:
            deadline: How long this may take, where credentials must be fetched; None for the wire's own limit.
        Raises:
            AdapterError: Credentials could not be had before the deadline.
        """

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Called when a system answered 401 to those headers: whether another try with new credentials makes sense."""


class _Fixed:
    """Credentials that stay the same until a person changes them."""

    def __init__(self, name: str, value: str) -> None:
        if not value or not value.isprintable():
            raise UsageError(f"the secret for the header {name} is empty or holds control characters")
        self._name, self._value = name, value

    def apply(self, headers: Mapping[str, str], deadline: Deadline | None = None) -> dict[str, str]:
        return {**headers, self._name: self._value}

    def renew(self, refused: Mapping[str, str]) -> bool:
        return False


class ApiKeyHeader(_Fixed):
    """A key in a header; `apikey` is the NHS API platform's ("application-restricted RESTful APIs - API key").

    >>> ApiKeyHeader("s3cret").apply({})
    {'apikey': 's3cret'}
    """

    def __init__(self, key: str, header: str = "apikey") -> None:
        super().__init__(header, key)


class BearerToken(_Fixed):
    """A token that somebody else obtained (RFC 6750, section 2.1)."""

    def __init__(self, token: str) -> None:
        super().__init__("Authorization", f"Bearer {token}" if token else "")


class BasicAuth(_Fixed):
    """User name and password (RFC 7617), in UTF-8."""

    def __init__(self, user: str, password: str) -> None:
        if ":" in user:
            raise UsageError("a user name for Basic authentication cannot hold a colon")
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        super().__init__("Authorization", f"Basic {pair}")


# RFC 6749, section 5.2; anything else that a token endpoint says is not repeated.
_OAUTH_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "public_key error",  # the NHS API platform's own: it cannot fetch or find the application's public key
    }
)

# RFC 6750, section 2.1: the characters of a bearer token.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class _FetchedToken:
    """A bearer token that is fetched from a token endpoint.

    It is kept until shortly before it expires. Whichever thread needs one first fetches it while the others wait,
    each no longer than its own deadline. A 401 drops the token that was refused, and only that one.

    Args:
        token_url: The token endpoint.
        wire: By which the token is fetched, within its limits; its own `auth` is not used for that.
        clock: Seconds since 1970.
    """

    # Renewed this long before it expires, or at nine tenths of a short life.
    _MARGIN_SECONDS = 30.0

    def __init__(self, token_url: str, wire: Wire, clock: Callable[[], float]) -> None:
        self._token_url, self._wire, self._clock = token_url, wire, clock
        self._fetching = threading.Lock()  # held for as long as a fetch takes
        self._changing = threading.Lock()  # held for a moment
        self._token: tuple[str, float] | None = None

    def _form(self) -> dict[str, str]:
        """What is sent to the token endpoint, made anew for each request."""
        raise NotImplementedError

    def apply(self, headers: Mapping[str, str], deadline: Deadline | None = None) -> dict[str, str]:
        until = deadline or Deadline.after(self._wire.endpoint.deadline_seconds)
        return {**headers, "Authorization": f"Bearer {self._current(until)}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        with self._changing:
            token = self._token
            if token is not None and refused.get("Authorization") == f"Bearer {token[0]}":
                self._token = None
        return True

    def _current(self, deadline: Deadline) -> str:
        token = self._usable()
        if token is not None:
            return token
        if not self._fetching.acquire(timeout=deadline.remaining()):
            raise TimedOut("no access token before the deadline", system=self._wire.system)
        try:
            token = self._usable()
            if token is None:
                fetched = self._fetch(deadline)
                with self._changing:
                    self._token = fetched
                token = fetched[0]
            return token
        finally:
            self._fetching.release()

    def _usable(self) -> str | None:
        token = self._token
        return token[0] if token is not None and self._clock() < token[1] else None

    def _fetch(self, deadline: Deadline) -> tuple[str, float]:
        try:
            answer = self._request(deadline)
        except AdapterError as error:
            if not error.retriable or deadline.passed:
                raise
            # Asked anew, not resent: what is sent may be good for once only, as a JWT's id is.
            answer = self._request(deadline)
        token, seconds = self._read(answer)
        self._wire.events.emit(Code.TOKEN_FETCHED, system=self._wire.system, request_id=answer.request_id)
        return token, self._clock() + max(seconds - self._MARGIN_SECONDS, seconds * 0.9)

    def _request(self, deadline: Deadline) -> Answer:
        answer = self._wire.fetch_token(self._token_url, self._form(), deadline=deadline)
        if answer.status in (400, 401, 403):
            raise NotPermitted(f"the token endpoint refused: {_oauth_error(answer)}", system=self._wire.system)
        return answer.require_ok()

    def _read(self, answer: Answer) -> tuple[str, float]:
        said = answer.json()
        token = said.get("access_token") if isinstance(said, Mapping) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise AnswerRejected("the token endpoint's answer holds no token", system=self._wire.system)
        try:
            # A number by RFC 6749, section 5.1; the NHS API platform sends it as a string.
            seconds = float(said["expires_in"])
        except (KeyError, TypeError, ValueError):
            seconds = 0.0
        # Without a stated life it is used for the request at hand and the few that come with it.
        return token, seconds if 0 < seconds < 86_400 else 10.0


class SignedJwtAuth(_FetchedToken):
    """Access tokens by signed JWT: the NHS API platform's way for applications.

    Args:
        token_url: The token endpoint; also the JWT's audience, character for character.
        api_key: The application's API key.
        kid: Which of the application's registered public keys belongs to the private key.
        private_key_pem: RSA private key, PEM.
        wire: By which the token is fetched, within its limits; its own `auth` is not used for that.
        clock: Seconds since 1970.
    Raises:
        UsageError: The extra `jwt` is not installed.
        ConfigurationError: The private key is not one.
    Source:
        NHS England developer guide, "Application-restricted RESTful APIs - signed JWT authentication", step 4 (the
        JWT: RS512, `kid`; iss = sub = API key, aud, jti, exp no more than 5 minutes ahead) and step 5 (the token
        request); RFC 7523, section 2.2; RFC 6749, section 4.4.
    """

    # Some minutes below the permitted five, for clocks that differ.
    _JWT_SECONDS = 240

    def __init__(
        self,
        *,
        token_url: str,
        api_key: str,
        kid: str,
        private_key_pem: str,
        wire: Wire,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(token_url, wire, clock)
        self._api_key, self._kid = api_key, kid
        self._key = _rsa_key(private_key_pem)

    def _form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self._assertion(),
        }

    def _assertion(self) -> str:
        from joserfc import jwt

        now = int(self._clock())
        claims = {
            "iss": self._api_key,
            "sub": self._api_key,
            "aud": self._token_url,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + self._JWT_SECONDS,
        }
        header = {"alg": "RS512", "typ": "JWT", "kid": self._kid}
        return jwt.encode(header, claims, self._key, algorithms=["RS512"])


class ClientCredentialsAuth(_FetchedToken):
    """Access tokens by client id and secret, sent in the form (RFC 6749, sections 2.3.1 and 4.4).

    Args:
        token_url: The token endpoint.
        client_id: The client's id.
        client_secret: Its secret.
        wire: By which the token is fetched, within its limits; its own `auth` is not used for that.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        wire: Wire,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(token_url, wire, clock)
        self._client_id, self._client_secret = client_id, client_secret

    def _form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
        }


class Together:
    """Several credentials in one request, such as a key of a product beside an access token.

    >>> Together(ApiKeyHeader("k", "Subscription"), BearerToken("t")).apply({})
    {'Subscription': 'k', 'Authorization': 'Bearer t'}
    """

    def __init__(self, *parts: Auth) -> None:
        self._parts = parts

    def apply(self, headers: Mapping[str, str], deadline: Deadline | None = None) -> dict[str, str]:
        signed = dict(headers)
        for part in self._parts:
            signed = part.apply(signed, deadline)
        return signed

    def renew(self, refused: Mapping[str, str]) -> bool:
        renewed = [part.renew(refused) for part in self._parts]  # every part is told, whatever the others say
        return any(renewed)


def auth_from(
    kind: Literal["bearer", "client-credentials", "signed-jwt", "none"],
    context: AdapterContext,
    *,
    token_url: str | None = None,
    key_id: str | None = None,
) -> Auth | None:
    """The credentials that an adapter's settings name, made of its secrets; None for none.

    Args:
        kind: `bearer` (secret `token`), `client-credentials` (secrets `client_id` and `client_secret`), `signed-jwt`
            (secrets `api_key` and `private_key`) or `none`.
        token_url: Where a token is fetched, for the two that fetch one.
        key_id: Which of the registered keys signs, for `signed-jwt`.
    Raises:
        ConfigurationError: A secret is not configured, or the private key is not one.
        UsageError: The extra `jwt` is not installed.
    """
    if kind == "bearer":
        return BearerToken(context.secret("token"))
    if kind == "client-credentials":
        return ClientCredentialsAuth(
            token_url=token_url or "",
            client_id=context.secret("client_id"),
            client_secret=context.secret("client_secret"),
            wire=context.wire,
        )
    if kind == "signed-jwt":
        return SignedJwtAuth(
            token_url=token_url or "",
            api_key=context.secret("api_key"),
            kid=key_id or "",
            private_key_pem=context.secret("private_key"),
            wire=context.wire,
        )
    return None


def _rsa_key(pem: str) -> Any:
    try:
        from joserfc.jwk import RSAKey
    except ImportError:
        raise UsageError("signed JWT authentication needs the extra: pip install 'mpftconnect[jwt]'") from None
    try:
        key = RSAKey.import_key(pem)
    except Exception:  # noqa: BLE001 - whatever the parser raises may repeat parts of the key
        key = None
    if key is None or not key.is_private:
        raise ConfigurationError(["the private key is not an RSA private key in PEM form"])
    return key


def _oauth_error(answer: Answer) -> str:
    try:
        said = answer.json()
    except AnswerRejected:
        said = None
    code = said.get("error") if isinstance(said, Mapping) else None
    return code if isinstance(code, str) and code in _OAUTH_ERRORS else f"status {answer.status}"
