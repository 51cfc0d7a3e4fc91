"""A small case of one outcome: what was required, what came, and how to try it, in a folder that can be sent."""

from __future__ import annotations

import os
from pathlib import Path

from mpftconnect.conformance.reporting.digests import harness_version
from mpftconnect.conformance.reporting.document import as_bytes
from mpftconnect.conformance.reporting.folder import Stored
from mpftconnect.conformance.reporting.har import to_har
from mpftconnect.conformance.reporting.reproduce import curl_line
from mpftconnect.errors import UsageError

__all__ = ["write_case"]


def write_case(stored: Stored, finding: str, folder: Path) -> list[str]:
    """Write the case of a requirement.

    Args:
        finding: Id or reference of the requirement.
        folder: Made, 0700.
    Returns:
        Names of the files.
    Raises:
        UsageError: The report has no such requirement, or the folder cannot be made.
    """
    row = next((r for r in stored.report["results"] if finding in (r["id"], r["ref"])), None)
    if row is None:
        raise UsageError(f"the report has no requirement {finding}")
    outcome = row["outcome"]
    named = {f["exchange"] for f in outcome.get("findings", ()) if f.get("exchange")} or set(row.get("exchanges", ()))
    exchanges = [each for each in stored.exchanges if each.id in named]
    lines = [
        *([stored.report["demonstration"]] if "demonstration" in stored.report else []),
        f"{row['id']} ({row['ref']}): {row['title']}",
        row["text"],
        f"Source: {row['source']['document']}, {row['source']['section']}, {row['source']['date']}",
        "",
        f"Product: {stored.subject.product} {stored.subject.version}, {stored.subject.entity}",
        f"Outcome: {outcome['status']}. {outcome.get('reason', '')}",
    ]
    lines += [
        f"- {f['rule']}: {f['message']} ({f.get('exchange', '')} {f.get('place', '')})"
        for f in outcome.get("findings", ())
    ]
    if "cause" in outcome:
        lines += ["", *(f"{name.replace('_', ' ')}: {text}" for name, text in outcome["cause"].items())]
    lines += ["", "Try it (credentials in the environment; numbers and names are stand-ins):"]
    lines += [curl_line(each) for each in exchanges]
    files = {"case.txt": ("\n".join(lines) + "\n").encode()}
    files["exchanges.har"] = as_bytes(to_har(exchanges, harness=harness_version()))
    for each in exchanges:
        if each.request_body:
            files[f"{each.id}-request-body"] = each.request_body
        if each.response_body:
            files[f"{each.id}-response-body"] = each.response_body
    try:
        folder.mkdir(mode=0o700)
        for name, data in files.items():
            descriptor = os.open(
                folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({type(error).__name__})") from None
    return sorted(files)
