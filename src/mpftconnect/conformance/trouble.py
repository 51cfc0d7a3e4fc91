"""What stands between us and a system, and so says nothing of its requirements: each in the same words everywhere.

A report counts findings of the environment by these words: whatever meets the same trouble must say it alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpftconnect.conformance.outcome import Cause, CauseKind
from mpftconnect.errors import GapReason

__all__ = ["TROUBLES", "trouble_of_status"]


def trouble_of_status(status: int) -> str | None:
    """The code of what a status shows to be at fault on the way; None if nothing.

    >>> [trouble_of_status(status) for status in (200, 401, 404, 503)]
    [None, '401', None, '5xx']
    """
    if status in (401, 403, 429):
        return str(status)
    return "5xx" if status >= 500 else None


TROUBLES: Mapping[str, Cause] = {
    code: Cause(kind=CauseKind.ENVIRONMENT, because=because, otherwise=otherwise, mend=mend)
    for code, because, otherwise, mend in (
        (
            "401",
            "the system answered 401 to requests that carried the configured credentials",
            "the product refuses what it should allow",
            "check the secrets that supplier.toml refers to, where a token comes from, and whether it has expired",
        ),
        (
            "403",
            "the system answered 403: the credentials are known there and not allowed",
            "the product refuses what it should allow",
            "ask for the permissions that the pack needs",
        ),
        (
            "429",
            "the system answered 429: its rate limit was reached",
            "another client uses the same credentials, or the product limits too soon",
            "set target.rate_per_second to what the system allows, and run again with --only-failed",
        ),
        (
            "5xx",
            "the system, or a gateway before it, answered with an error of its own (5xx)",
            "the product fails on this request",
            "find the request in the system's log by its X-Request-ID, then run again with --only-failed",
        ),
        (
            str(GapReason.UNREACHABLE),
            "no connection was made",
            "the product was not running",
            "check that this machine reaches base_url: name look-up, firewall, proxy, certificates",
        ),
        (
            str(GapReason.TIMED_OUT),
            "no whole answer came before the deadline",
            "the product is too slow for this request",
            "try the request by hand and time it; target.deadline_seconds allows more",
        ),
        (
            str(GapReason.RATE_LIMITED),
            "the rate limit was reached",
            "another client uses the same credentials",
            "set target.rate_per_second to what the system allows",
        ),
        (
            str(GapReason.NOT_PERMITTED),
            "no credentials were to be had",
            "the token service is at fault",
            "check the secrets that supplier.toml refers to",
        ),
        (
            str(GapReason.OUTCOME_UNKNOWN),
            "a write was sent and its answer was lost",
            "a gateway between gave up",
            "look in the system whether it was done, and remove it",
        ),
        (
            str(GapReason.ANSWER_REJECTED),
            "what came back was no whole HTTP answer of the system asked: cut short, endless, redirected or another's",
            "a proxy or gateway between changed it; or the product sends it so",
            "try the request by hand from this machine and from beside the system, and compare",
        ),
        (
            str(GapReason.SYSTEM_FAILED),
            "the exchange failed beyond this machine",
            "the product fails on this request",
            "find the request in the system's log by its X-Request-ID",
        ),
    )
}
