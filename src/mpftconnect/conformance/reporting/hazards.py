"""What a report leaves to whoever deploys the product, as rows for the hazard log that DCB0160 asks of them."""

from __future__ import annotations

from mpftconnect.conformance.outcome import Status
from mpftconnect.conformance.reporting.forms import marks_of
from mpftconnect.conformance.reporting.office import workbook_of
from mpftconnect.conformance.reporting.summary import ResultView, Summary
from mpftconnect.spreadsheet import csv_lines

__all__ = ["hazards_bytes"]

_COLUMNS = (
    *("hazard", "why it is here", "requirement", "title", "outcome", "reason", "likely cause", "what would mend it"),
    *("severity", "supplier's hazard id", "supplier's reason", "owner", "until", "product", "run", "is not"),
)
_OPEN = (Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.NOT_TESTED, Status.NOT_ASKED)


def hazards_bytes(summary: Summary, *, workbook: bool = False) -> bytes:
    """Rows for the deployer's log: risk is for their own safety officer to rate.

    Args:
        workbook: As XLSX, which needs the extra `xlsx`; else CSV.
    Raises:
        ImportError: The extra is not installed.
    """
    marks = marks_of(summary)
    header = (*_COLUMNS, *marks)
    rows = [(*_row(r, why, summary), *marks.values()) for r in summary.results if (why := _why(r))]
    if workbook:
        return workbook_of(summary, {"Hazards": [header, *rows]})
    return "".join(csv_lines(header, rows)).encode("utf-8-sig")


def _why(r: ResultView) -> str:
    if r.exception:
        return "transferred: the supplier asks that it be accepted"
    if r.status is Status.FAIL:
        return "failed"
    if r.status in _OPEN:
        return "not tested or not decided: it may be wrong"
    # A pass that could not see everything leaves the rest to whoever deploys it.
    return "transferred: not seen by the check" if r.limits and r.status is Status.PASS else ""


def _row(r: ResultView, why: str, summary: Summary) -> tuple[object, ...]:
    cause = f"{r.cause['kind']}: {r.cause['because']}" if r.cause else ""
    reason = "; ".join(filter(None, (r.reason, f"not seen: {r.limits}" if r.limits else "")))
    exception = [r.exception.get(name, "") for name in ("hazard", "reason", "owner", "expires")]
    return (
        *(r.hazard, why, f"{r.id} ({r.ref})", r.title, r.status_words, reason, cause, r.cause.get("mend", "")),
        *(r.severity, *exception, f"{summary.subject['product']} {summary.subject['version']}"),
        *(summary.run["id"], " ".join(summary.is_not)),
    )
