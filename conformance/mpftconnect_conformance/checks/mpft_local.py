"""Checks of the local extras: documents, looked at as those of the DTAC form are."""

from __future__ import annotations

import re

from mpftconnect.conformance import Check, Evidence, Outcome, Status
from mpftconnect_conformance.checks.dtac_2_0 import judge_documents

__all__ = ["CHECKS"]

_VERSION_3 = re.compile(r"""^\s*["']?openapi["']?\s*:\s*["']?3\.""", re.MULTILINE)


def judge_openapi(evidence: Evidence) -> Outcome:
    """There, and of version 3: more is asked by the pack open-api."""
    found = judge_documents(("openapi",), evidence)
    files = evidence.files.get("openapi", ())
    if found.status is not Status.EVIDENCE_FOUND or any(_VERSION_3.search(f.text or "") for f in files):
        return found
    return Outcome.not_tested("the document does not begin as an OpenAPI 3 specification in JSON or YAML does")


CHECKS = [
    Check(name="mpft-local#1", judge=lambda evidence: judge_documents(("load-test",), evidence), patient=False),
    Check(name="mpft-local#2", judge=lambda evidence: judge_documents(("code-review",), evidence), patient=False),
    Check(name="mpft-local#3", judge=judge_openapi, patient=False),
]
