"""Exchanges as HAR 1.2 and back: what other tools open, and what `rejudge` reads. Ours stands in fields that begin `_`.

Source: HAR 1.2 specification (W3C Web Performance, historical draft, 2012), sections log, entries, request, response.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mpftconnect.conformance.evidence import Recorded
from mpftconnect.errors import UsageError

__all__ = ["from_har", "to_har"]


def to_har(exchanges: Iterable[Recorded], *, harness: str) -> dict[str, Any]:
    """The exchanges as a HAR log."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "mpftconnect", "version": harness},
            "entries": [_entry(each) for each in exchanges],
        }
    }


def _entry(each: Recorded) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": each.method,
        "url": each.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _rows(each.request_headers),
        "queryString": _rows(parse_qsl(urlsplit(each.url).query, keep_blank_values=True)) if "?" in each.url else [],
        "headersSize": -1,
        "bodySize": len(each.request_body or b""),
    }
    if each.request_body:
        mime = each.request_header("Content-Type") or "application/octet-stream"
        request["postData"] = {"mimeType": mime, "params": [], **_text(each.request_body)}
    content: dict[str, Any] = {"size": len(each.response_body or b""), "mimeType": each.header("Content-Type") or ""}
    if each.response_body is not None:
        content |= _text(each.response_body)
    return {
        "startedDateTime": each.sent_at or "1970-01-01T00:00:00+00:00",
        "time": each.duration_ms,
        "request": request,
        "response": {
            "status": each.status or 0,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _rows(each.response_headers),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": each.duration_ms, "receive": 0},
        "_id": each.id,
        "_step": each.step,
        "_person": each.person,
        "_protocol": each.protocol,
        "_direction": each.direction,
        "_error": each.error,
        "_errorRule": each.error_rule,
        "_attempts": each.attempts,
        "_dropped": each.dropped,
        "_facts": dict(each.facts),
        "_answered": each.status is not None,
    }


def from_har(data: bytes) -> tuple[Recorded, ...]:
    """The exchanges of a HAR log that `to_har` made.

    Raises:
        UsageError: It is no such log; the message repeats nothing of it.
    """
    try:
        entries = json.loads(data)["log"]["entries"]
        return tuple(_recorded(entry) for entry in entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError("the evidence is not a HAR log of this suite") from None


def _recorded(entry: Mapping[str, Any]) -> Recorded:
    request, response = entry["request"], entry["response"]
    return Recorded(
        id=str(entry["_id"]),
        step=str(entry["_step"]),
        person=str(entry["_person"]),
        protocol=str(entry["_protocol"]),
        direction="received" if entry["_direction"] == "received" else "sent",
        method=str(request["method"]),
        url=str(request["url"]),
        status=int(response["status"]) if entry["_answered"] else None,
        request_headers=_pairs(request["headers"]),
        request_body=_bytes(request["postData"]) if "postData" in request else None,
        response_headers=_pairs(response["headers"]),
        response_body=_bytes(response["content"]) if "text" in response["content"] else None,
        error=entry["_error"],
        error_rule=str(entry["_errorRule"]),
        attempts=int(entry["_attempts"]),
        dropped=str(entry["_dropped"]),
        facts=dict(entry["_facts"]),
        sent_at=str(entry["startedDateTime"]),
        duration_ms=float(entry["time"]),
    )


def _rows(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _pairs(rows: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(row["name"]), str(row["value"])) for row in rows)


def _text(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), "encoding": "base64"}


def _bytes(content: Mapping[str, str]) -> bytes:
    text = content["text"]
    return base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
