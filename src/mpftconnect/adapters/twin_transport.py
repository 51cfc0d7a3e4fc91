"""Lets a wire speak to a twin in process, without sockets: for tests."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.response import HTTPResponse

from mpftconnect.adapters.twin import Twin, TwinRequest, TwinResponse

__all__ = ["TwinTransport"]


class TwinTransport(BaseAdapter):
    """A transport of requests that asks `twin.handle`.

    Args:
        twin: What answers.
        base_url: Where the twin is said to be; paths below it are what the twin sees.
        spoil: Changes each answer on its way, to see what an adapter makes of it.

    >>> from mpftconnect.adapters import Endpoint, MemoryRecorder, Wire, json_response
    >>> from mpftconnect.events import EventStream
    >>> class Echo:
    ...     def handle(self, request):
    ...         return json_response({"path": request.path, "name": request.first("name")})
    >>> endpoint = Endpoint(base_url="http://twin.invalid/fhir", environment="test")
    >>> transport = TwinTransport(Echo(), "http://twin.invalid")
    >>> wire = Wire("echo", endpoint, events=EventStream(), recorder=MemoryRecorder(), transport=transport)
    >>> wire.get_json("Patient", {"name": "A & B"})
    {'path': '/fhir/Patient', 'name': 'A & B'}
    """

    def __init__(
        self, twin: Twin, base_url: str, *, spoil: Callable[[TwinResponse], TwinResponse] | None = None
    ) -> None:
        super().__init__()
        self._twin, self._base_url, self.spoil = twin, base_url.rstrip("/"), spoil
        self._lock = threading.Lock()
        self._asked: list[TwinRequest] = []

    @property
    def asked(self) -> tuple[TwinRequest, ...]:
        """What the twin was asked, oldest first."""
        with self._lock:
            return tuple(self._asked)

    def tls(self, endpoint: Any, deadline: Any) -> Mapping[str, Any]:
        """What the twin says of its encryption, which has no sockets to show it on; nothing if it says nothing."""
        says = getattr(self._twin, "tls", None)
        return says() if says is not None else {}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        url, body = request.url or "", request.body or b""
        target = url.removeprefix(self._base_url) if url.startswith(self._base_url) else urlsplit(url).path
        asked = TwinRequest.of(
            request.method or "GET",
            target or "/",
            request.headers,
            body.encode() if isinstance(body, str) else bytes(body),
            self._base_url,
        )
        with self._lock:
            self._asked.append(asked)
        said = self._twin.handle(asked)
        return _response(request, self.spoil(said) if self.spoil else said)

    def close(self) -> None:
        """Nothing is open."""


def _response(request: requests.PreparedRequest, said: TwinResponse) -> requests.Response:
    response = requests.Response()
    response.status_code = said.status
    response.headers = CaseInsensitiveDict(said.headers)
    response.request = request
    response.url = request.url or ""
    response.raw = HTTPResponse(
        body=io.BytesIO(said.body),
        headers=dict(said.headers),
        status=said.status,
        preload_content=False,
        decode_content=False,
        request_method=request.method,
    )
    return response
