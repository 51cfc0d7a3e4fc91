"""What a system answered, exactly as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from requests.structures import CaseInsensitiveDict

from mpftconnect.errors import AdapterError, AnswerRejected, NotPermitted, RateLimited, SystemFailed

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status: read it with `json` or `text`, or insist on success with `require_ok`.

    Args:
        status: HTTP status; 200 for a file that was read.
        headers: Case-insensitive.
        body: Decompressed bytes, otherwise untouched.
        fetched: When it was whole, UTC.
        request_id: The `X-Request-ID` that went with the request.
        system: Configured name of the system.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=CaseInsensitiveDict, repr=False)
    body: bytes = field(default=b"", repr=False)
    fetched: datetime = field(kw_only=True)
    request_id: str = field(default="", kw_only=True)
    system: str | None = field(default=None, kw_only=True)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case; empty if the answer states none.

        >>> from datetime import UTC
        >>> stamp = datetime.now(UTC)
        >>> Answer(200, CaseInsensitiveDict({"Content-Type": "Text/CSV; charset=utf-8"}), fetched=stamp).content_type
        'text/csv'
        """
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def require_ok(self, *also_ok_statuses: int) -> Answer:
        """This answer, if its status is 2xx or one of those named.

        Raises:
            NotPermitted: 401 or 403 (a 401 has already cost one renewal of the token).
            RateLimited: 429.
            SystemFailed: 5xx.
            AnswerRejected: Any other status.
        """
        if self.ok or self.status in also_ok_statuses:
            return self
        kind: type[AdapterError] = AnswerRejected
        if self.status in (401, 403):
            kind = NotPermitted
        elif self.status == 429:
            kind = RateLimited
        elif self.status >= 500:
            kind = SystemFailed
        raise kind(f"status {self.status}", system=self.system)

    def json(self) -> Any:
        """The body as JSON, decimals exact, whatever the status.

        Raises:
            AnswerRejected: It declares another content type, or does not parse.
        """
        from mpftconnect.fhir.json_text import parse_json  # here, since most of that room is not needed to speak HTTP

        kind = self.content_type
        if kind and not (kind in ("application/json", "text/json") or kind.endswith("+json")):
            raise AnswerRejected("the content type is not JSON", system=self.system)
        return parse_json(self.body)

    def text(self) -> str:
        """The body as text, by the stated charset, else UTF-8 (with or without a byte order mark).

        Raises:
            AnswerRejected: The bytes are not in that charset, or nobody knows the charset.
        """
        charset = ""
        for parameter in self.headers.get("Content-Type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                charset = value.strip().strip("\"'").lower()
        try:
            return self.body.decode("utf-8-sig" if charset in ("", "utf-8", "utf8") else charset)
        except (LookupError, ValueError):
            raise AnswerRejected("the text is not in the charset that it states", system=self.system) from None
