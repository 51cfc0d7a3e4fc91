"""What the system does when it is asked: refusals, encryption, errors, discovery, request ids.

OAPI-02, 03, 06, 07 and 14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, NotInEvidence, Outcome, Probe, Recorded
from mpftconnect.errors import MpftConnectError
from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect_conformance.checks.open_api.described import ask_document, described, failed, undecided
from mpftconnect_conformance.oas.document import table_of

__all__ = [
    *("ask_access", "ask_discovery", "ask_errors", "ask_request_id", "ask_tls", "judge_access", "judge_discovery"),
    *("judge_errors", "judge_request_id", "judge_tls"),
]

# Not "... of full": under such names uk-core-r4 keeps what a record holds, and would read these as more of it.
FULL, STRANGER, WRONG_TOKEN = "search with credentials", "search as a stranger", "search with a wrong token"
NOWHERE, UNTRUE, NO_METHOD = "address that is not", "parameter of no meaning", "method that is not"
ENCRYPTION, SMART, OPENID = "encryption", "smart configuration", "openid configuration"


# OAPI-02


def ask_access(probe: Probe) -> None:
    number = probe.person("full").nhs_number
    path, params = "Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{number}"}
    if probe.get(path, params, step=FULL, person="full").ok:
        probe.get(path, params, step=STRANGER, person="full", credentials=False)
        wrong = {"Authorization": "Bearer not-a-token"}
        probe.get(path, params, step=WRONG_TOKEN, person="full", credentials=False, headers=wrong)


def judge_access(evidence: Evidence) -> Outcome:
    """Source: RFC 6750, section 3; RFC 9110, sections 11.6.1, 15.5.2 and 15.5.4."""
    held = evidence.json(FULL)
    if not isinstance(held, Mapping) or not held.get("entry"):
        raise undecided(
            "the request that is to be refused gives nothing even with credentials",
            "the search for the full person found nobody",
            "enter the full person, or check what the credentials may see",
        )
    findings = []
    for step in (STRANGER, WRONG_TOKEN):
        found = evidence.one(step)
        if found.error is not None or (found.status or 0) >= 500 or found.status == 429:
            raise undecided(f"{step}: no answer that decides it", "the exchange failed", "run again")
        if found.ok:
            findings.append(Finding(rule="let-in", message=f"{step}: is answered with data", exchange=found.id))
            continue
        if found.status not in (401, 403):
            message = f"{step}: status {found.status} in place of 401"
            findings.append(Finding(rule="status", message=message, exchange=found.id))
        if found.status == 401 and not found.header("WWW-Authenticate"):
            message = f"{step}: 401 without the header WWW-Authenticate"
            findings.append(Finding(rule="challenge", message=message, exchange=found.id, place="WWW-Authenticate"))
        if _resource(found) in ("Bundle", "Patient"):
            findings.append(Finding(rule="data", message=f"{step}: the refusal carries data", exchange=found.id))
    if findings:
        return failed(findings, "refuse whoever has no valid token with 401, WWW-Authenticate and no data", seen=3)
    return Outcome.passed(2, "refused without a token and with a wrong one")


def _resource(found: Recorded) -> str:
    try:
        body = found.json()
    except MpftConnectError:
        return ""
    kind = body.get("resourceType") if isinstance(body, Mapping) else None
    return kind if isinstance(kind, str) else ""


# OAPI-03


def ask_tls(probe: Probe) -> None:
    probe.get("metadata", step="metadata")
    probe.look_at_tls(step=ENCRYPTION)


def judge_tls(evidence: Evidence) -> Outcome:
    """Source: RFC 8996; RFC 5280, section 6; RFC 6797 (HSTS), section 6.1; NCSC, Using TLS to protect data."""
    seen = evidence.one(ENCRYPTION)
    facts = seen.facts
    for fact, words in (
        ("cleartext", "the address is not https, so there is no encryption to look at"),
        ("proxied", "a proxy stands between, so what is seen would be the proxy's"),
        ("unreachable", "no handshake came about"),
    ):
        if facts.get(fact):
            raise _environment(words, "give the https address that others use, and run from where it is reached")
    versions = facts.get("versions")
    if not isinstance(versions, Mapping):
        raise _environment("nothing was seen of the encryption", "run again")
    findings = [
        Finding(rule="old-version", message=f"{name} is accepted", exchange=seen.id)
        for name in ("TLSv1", "TLSv1.1")
        if versions.get(name) == "accepted"
    ]
    chain, ends = str(facts.get("chain", "")), str(facts.get("not_after", ""))
    expired = "expired" in chain
    if ends and evidence.today:
        expired = expired or date.fromisoformat(ends) < date.fromisoformat(evidence.today)
    if expired:
        findings.append(Finding(rule="expired", message="the certificate has run out", exchange=seen.id))
    answer = evidence.one("metadata")
    sends = re.search(r"max-age=\"?[1-9]", answer.header("Strict-Transport-Security") or "", re.I)
    if answer.error is None and (answer.status or 500) < 500 and not sends:
        message = "answers carry no Strict-Transport-Security with a max-age above 0"
        findings.append(Finding(rule="hsts", message=message, exchange=answer.id, place="Strict-Transport-Security"))
    if findings:
        return failed(findings, "offer TLS 1.2 and 1.3 alone, renew the certificate in time, send HSTS", seen=4)
    if chain != "valid":
        raise _environment(
            f"the certificate's chain was not found valid from here: {chain or 'not seen'}",
            "set target.ca_bundle if a private authority is meant; otherwise send the whole chain",
        )
    if trouble := answer.trouble():
        return trouble
    unknown = [name for name in ("TLSv1", "TLSv1.1") if versions.get(name) != "refused"]
    if "accepted" not in (versions.get("TLSv1.2"), versions.get("TLSv1.3")) or unknown:
        raise _environment("not every version could be tried from this machine", "run from a machine that offers them")
    return Outcome.passed(4, f"TLS 1.2 or later alone, certificate until {ends}, HSTS")


def _environment(words: str, mend: str) -> Exception:
    from mpftconnect.conformance import Undecided

    cause = Cause(kind=CauseKind.ENVIRONMENT, because=words, otherwise="the product is set up so", mend=mend)
    return Undecided(Outcome.inconclusive(words, cause))


# OAPI-06


def ask_errors(probe: Probe) -> None:
    probe.get("metadata", step="metadata")
    probe.get("mpftconnect-nowhere", step=NOWHERE)
    probe.get("Patient", {"birthdate": "not-a-date", "mpftconnect-unknown": "1"}, step=UNTRUE)
    probe.get("Patient", step="data as a stranger", credentials=False)
    if probe.subject.allow_writes:  # it changes nothing anywhere that is as it should be
        probe.post("metadata", data="x", headers={"Content-Type": "text/plain"}, step=NO_METHOD, reads=True)


def judge_errors(evidence: Evidence) -> Outcome:
    """Source: HL7 FHIR R4, 3.1.0.1.4 and OperationOutcome; RFC 9457 (problem details), section 3."""
    if trouble := evidence.one("metadata").trouble():
        return trouble
    findings, seen, silent = [], 0, []
    for step in (NOWHERE, UNTRUE, "data as a stranger", NO_METHOD):
        try:
            found = evidence.one(step)
        except NotInEvidence:
            continue
        if found.error is not None or not 400 <= (found.status or 0) < 500 or found.status == 429:
            silent.append(step)
            continue
        seen += 1
        fault = _fault_of_error(found)
        if fault:
            message = f"{step}: status {found.status}, {fault}"
            findings.append(Finding(rule="error-form", message=message, exchange=found.id, place="body"))
    if findings:
        return failed(
            findings, "answer errors by OperationOutcome or application/problem+json, and nothing else", seen=seen
        )
    notes = [f"no error was answered to: {', '.join(silent)}"] if silent else []
    return Outcome.passed(seen, f"{seen} errors", notes=notes)


def _fault_of_error(found: Recorded) -> str:
    """What is wrong with the form of an error; empty if nothing. It reads nothing that redaction takes away."""
    if "html" in found.content_type:
        return "a web page in place of an error"
    try:
        body = found.json()
    except NotInEvidence:
        return "no body"
    except MpftConnectError:
        return "a body that is no JSON"
    if not isinstance(body, Mapping):
        return "a body that is no object"
    if body.get("resourceType") == "OperationOutcome":
        issues = body.get("issue")
        if not isinstance(issues, list) or not issues:
            return "an OperationOutcome without an issue"
        rows = [table_of(each) for each in issues]
        if not all(isinstance(r.get("severity"), str) and isinstance(r.get("code"), str) for r in rows):
            return "an issue without severity or code"
        return ""
    if found.content_type == "application/problem+json":
        return "" if {"type", "title", "status"} & set(body) else "a problem without type, title and status"
    return "neither an OperationOutcome nor a problem document"


# OAPI-07


def ask_discovery(probe: Probe) -> None:
    ask_document(probe)
    for step, path in ((SMART, ".well-known/smart-configuration"), (OPENID, ".well-known/openid-configuration")):
        if probe.get(path, step=step, credentials=False).ok:
            return


def judge_discovery(evidence: Evidence) -> Outcome:
    """Source: OpenAPI 3.0.3, Security Scheme Object; RFC 8414, sections 2 and 3; SMART App Launch 2.0.0."""
    document, came = described(evidence)
    findings = []
    schemes = table_of(table_of(document.root.get("components")).get("securitySchemes"))
    rows = [table_of(document.resolved(each)) for each in schemes.values()]
    flows = [table_of(flow) for r in rows if r.get("type") == "oauth2" for flow in table_of(r.get("flows")).values()]
    if not any(r.get("type") == "openIdConnect" for r in rows) and not flows:
        message = "securitySchemes declares neither OAuth 2 nor OpenID Connect"
        findings.append(Finding(rule="scheme", message=message, exchange=came.id, place="components.securitySchemes"))
    elif flows and not any(table_of(flow.get("scopes")) for flow in flows):
        message = "no flow declares a scope"
        findings.append(Finding(rule="scopes", message=message, exchange=came.id, place="components.securitySchemes"))
    asked = [evidence.one(step) for step in evidence.steps() if step in (SMART, OPENID)]
    if not asked:
        raise NotInEvidence(SMART)
    found = next((each for each in asked if each.ok), None)
    if found is None:
        if any(each.error is not None or (each.status or 500) >= 500 or each.status == 429 for each in asked):
            return asked[-1].trouble() or Outcome.passed(0)
        message = "no discovery document stands below the base address"
        findings.append(Finding(rule="discovery", message=message, exchange=asked[0].id, place=".well-known"))
    else:
        findings += _of_discovery(found)
    if findings:
        return failed(findings, "declare the scheme with its scopes, and publish a discovery document", seen=2)
    return Outcome.passed(2, "scheme and discovery document")


def _of_discovery(found: Recorded) -> list[Finding]:
    try:
        body: Any = found.json()
    except MpftConnectError:
        body = None
    if not isinstance(body, Mapping):
        return [Finding(rule="discovery", message="the discovery document is no JSON object", exchange=found.id)]
    if not isinstance(body.get("token_endpoint"), str):
        message = "the discovery document names no token_endpoint"
        return [Finding(rule="token-endpoint", message=message, exchange=found.id, place="token_endpoint")]
    return []


# OAPI-14


def ask_request_id(probe: Probe) -> None:
    probe.get("metadata", step="metadata")


def judge_request_id(evidence: Evidence) -> Outcome:
    """Source: NHS England, API policies and best practice: X-Request-ID and X-Correlation-ID are mirrored.

    An answer that names another request never comes this far: the wire rejects it.
    """
    found = evidence.answered("metadata")
    if table_of(evidence.json("metadata")).get("resourceType") != "CapabilityStatement":
        raise undecided("metadata is no CapabilityStatement", "another may have answered", "check target.base_url")
    if found.header("X-Request-ID") or found.header("X-Correlation-ID"):
        return Outcome.passed(1, "mirrored on the capability statement")
    message = "the answer carries neither X-Request-ID nor X-Correlation-ID"
    finding = Finding(rule="request-id", message=message, exchange=found.id, place="X-Request-ID")
    return failed([finding], "send back the X-Request-ID of the request")
