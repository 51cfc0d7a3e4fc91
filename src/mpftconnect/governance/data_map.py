"""Where patient data may lie, in one table (rule 13): what a DPIA and an information asset register need."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Place", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """One place where the SDK may keep something.

    Args:
        name: What it is.
        where: The path, or what configures it.
        holds: Which patient data, in words; `none` is said as such.
        protection: Encryption and file modes, honestly.
        retention: How long, and who removes it.
        erasure: How one person's data is removed, or why not.
    """

    name: str
    where: str
    holds: str
    protection: str
    retention: str
    erasure: str


_PRIVATE = "folder 0700, file 0600; NOT encrypted by this SDK: put it on an encrypted volume"
# UK GDPR, article 17(3)(b) and (e): the duty to account for access outlasts a request for erasure. How long: the NHS
# Records Management Code of Practice; to be settled by the deployer's records manager.
_KEPT = "none for a single person before the retention ends: it is the account of who saw the record"


def places(
    *,
    audit: str = "[audit] store and fallback",
    anchors: str = "[audit], [privacy] and [identity] anchor",
    privacy: str = "[privacy] store and fallback",
    identity: str = "[identity] store, or state/identity",
    audit_days: int | None = None,
    privacy_days: int | None = None,
    identity_days: int | None = None,
    state: str = "state",
    inbox: str = "[inbox] store",
    inbox_days: int | None = None,
    inbox_encrypted: bool | None = None,
) -> tuple[Place, ...]:
    """Every place, for the given configuration.

    >>> [place.name for place in places()][0]
    'audit trail'
    """

    def kept(days: int | None, command: str = "audit") -> str:
        return f"{days or 2922} days, then mpftconnect {command} purge"

    return (
        Place(
            "audit trail",
            audit,
            "NHS numbers, who read what and when, ids of the items shown; of what was published, the request and the "
            "answer, which say the kind of document; no names and no other clinical content",
            f"sealed; {_PRIVATE}",
            kept(audit_days),
            _KEPT,
        ),
        Place(
            "privacy-officer stream",
            privacy,
            "NHS numbers, ids of items that silent policies withheld, break-glass events with the reason given",
            f"sealed under its own key; {_PRIVATE}",
            kept(privacy_days),
            _KEPT,
        ),
        Place(
            "identity decisions",
            identity,
            "NHS numbers, systems' own ids of their records, who decided and the reasons that they gave",
            f"sealed; {_PRIVATE}",
            f"while in force; what has ended {kept(identity_days, 'identity')}",
            "mpftconnect identity erase, once nothing about the person is in force",
        ),
        Place("anchors", anchors, "none: counts and digests", "sealed", "as long as the trail", "not needed"),
        Place(
            "rate budgets", f"{state}/budgets", "none: times of requests", "folder 0700", "overwritten", "not needed"
        ),
        Place(
            "ledger of published plans",
            f"{state}/published/ledger.sqlite",
            "NHS numbers, keys of care plans, kinds of document, ids of pointers; no names and no clinical content",
            _PRIVATE,
            "as long as a pointer stands or may stand; Hub.published.purge() removes rows of pointers that went",
            "Hub.published.forget(), once no pointer of the person stands",
        ),
        Place(
            "systems' own state",
            f"{state}/systems, a folder a system, where an adapter keeps anything",
            "whatever the adapter's README says; the adapters that come with this SDK keep nothing",
            _PRIVATE,
            "the adapter's",
            "delete the folder",
        ),
        Place(
            "inbox",
            inbox,
            "whole HL7 v2 messages as received, and what stands after them: demographics, visits, results, documents; "
            "nothing of messages that silent policies exclude",
            {
                None: f"AES-256-GCM where [inbox] key is given; otherwise {_PRIVATE}",
                True: "AES-256-GCM under [inbox] key; senders, control ids and times in clear; folder 0700, file 0600",
                False: _PRIVATE,
            }[inbox_encrypted],
            f"{inbox_days or 400} days, then mpftconnect hl7 purge; parked messages stay until somebody settles them",
            "mpftconnect hl7 erase: messages and what stands of them, from free pages and the write-ahead log too; "
            "not from backups",
        ),
        Place(
            "traces",
            "memory of the running process",
            "demographics by the tracing service, only where [hub] trace_max_age_seconds is more than 0",
            "memory only",
            "the last 1000, each used for trace_max_age_seconds; gone with the process",
            "not needed",
        ),
        Place(
            "exchanges",
            "memory of the running process",
            "test environments: requests and answers; live: digests, status, timing and ids only",
            "memory only",
            "the last 500 a system, gone with the process",
            "not needed",
        ),
        Place(
            "governance registers",
            "wherever a user writes them (governance register)",
            "none: users, roles, times and request ids; no NHS number and no reason",
            "folder 0700, files 0600; NOT encrypted: the user's responsibility",
            "the user's responsibility",
            "not needed",
        ),
        Place(
            "record pages and exports",
            "wherever a user writes them (record --html, --json, --fhir; demo)",
            "a whole record",
            "NOT encrypted: the user's responsibility; demo holds synthetic people only",
            "the user's responsibility",
            "delete the file",
        ),
    )
