"""A report in which every text is chosen by somebody who means harm."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mpftconnect.conformance.reporting.summary import ExchangeView, Summary, summary_of

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style><img src=x onerror=alert(3)>",
    "\"><svg onload=alert(4)>' onfocus='alert(5)",
    "{{ 7 * 7 }}{% raw %}<!-- -->]]>&lt;\u202e\x00\x1b\ud800",
    "javascript:alert(6)",
    "=cmd|' /C calc'!A0",
)
ALL = "".join(PAYLOADS) + "W" * 300
# What the engine itself chooses from a closed list, or reads as a day.
_CLOSED = frozenset({"format", "status", "verdict", "kind", "level", "by", "started", "finished", "environment"})


def hostile(value: Any, key: str = "") -> Any:
    """The value with every open text replaced."""
    if isinstance(value, Mapping):
        return {name: hostile(part, name) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [hostile(part, key) for part in value]
    return ALL if isinstance(value, str) and key not in _CLOSED else value


def hostile_summary(report: Mapping[str, Any]) -> Summary:
    """The view of a report with all of it planted: names, findings, causes, responses, grants, headers, bodies."""
    made = hostile(copy.deepcopy(dict(report)))
    for number, row in enumerate(made["results"]):
        row |= {
            "exchanges": ["e1"],
            "reproduce": [ALL],
            "errata": [ALL],
            "limits": ALL,
            "exception": dict.fromkeys(("reason", "owner", "expires", "hazard"), ALL),
            "response": dict.fromkeys(("text", "by", "date", "signed_by"), ALL),
        }
        row["id"] = f"{ALL}{number}"
        row["outcome"] |= {
            "reason": ALL,
            "notes": [ALL],
            "findings": [dict.fromkeys(("rule", "message", "exchange", "place"), ALL)],
            "cause": {"kind": "unclear", **dict.fromkeys(("because", "ruled_out", "otherwise", "mend"), ALL)},
        }
    made["environment"] = [{"kind": "environment", "words": ALL, "mend": ALL, "requirements": [ALL]}]
    made["files"] = [dict.fromkeys(("kind", "name", "issued", "due"), ALL)]
    made["run"]["partial"] = ALL
    made["target"] = {"host": ALL, "version_reported": ALL, "version_agrees": False, "certificate_sha256": ALL}
    exchange = ExchangeView(
        id="e1",
        step=ALL,
        method=ALL,
        url=ALL,
        status=200,
        error=ALL,
        dropped=ALL,
        request_headers=((ALL, ALL),),
        response_headers=((ALL, ALL),),
        request_body=ALL,
        response_body=ALL,
    )
    grants = [
        {"requirement": row["id"], "granted_by": ALL, "until": ALL, "expired": "", "reason": ALL}
        for row in made["results"]
    ]
    return summary_of(made, [exchange], grants=grants)
