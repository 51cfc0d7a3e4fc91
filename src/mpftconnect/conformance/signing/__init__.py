"""Signatures over reports, challenges and decisions: made by a key, judged by a trust file, verified without a network.

A signature says that something was not altered since a key's holder signed it. It never says that a run was honest.
"""

from mpftconnect.conformance.signing.attestation import sign_report
from mpftconnect.conformance.signing.challenge import Challenge, make_challenge, read_challenge
from mpftconnect.conformance.signing.decisions import grant_exception, witness_report
from mpftconnect.conformance.signing.keys import KeyFile, load_key, make_key
from mpftconnect.conformance.signing.trust import Trust, TrustedKey, read_trust
from mpftconnect.conformance.signing.verification import Mismatch, Verification, verify_report

__all__ = [
    "Challenge",
    "KeyFile",
    "Mismatch",
    "Trust",
    "TrustedKey",
    "Verification",
    "grant_exception",
    "load_key",
    "make_challenge",
    "make_key",
    "read_challenge",
    "read_trust",
    "sign_report",
    "verify_report",
    "witness_report",
]
