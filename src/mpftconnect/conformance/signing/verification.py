"""Verifies a report without a network: what does not match, who stands behind it, its age, what is known against it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.formats import ReportFormat
from mpftconnect.conformance.reporting.consistency import NOT_WHOLE, does_not_follow, forms_amiss, judged_otherwise
from mpftconnect.conformance.reporting.digests import judge_digests
from mpftconnect.conformance.reporting.errata import Corrected, corrected
from mpftconnect.conformance.reporting.folder import MANIFEST, REPORT, Stored, altered, read_folder
from mpftconnect.conformance.reporting.scope import partial_words
from mpftconnect.conformance.requirement import Pack
from mpftconnect.conformance.signing.attestation import FILE, PREDICATE, claims_of
from mpftconnect.conformance.signing.challenge import FILE as CHALLENGE_FILE
from mpftconnect.conformance.signing.challenge import Challenge, challenge_from
from mpftconnect.conformance.signing.decisions import GRANT, WITNESS, day_signed, digests_in, with_signers
from mpftconnect.conformance.signing.envelope import Opened, read_sealed, unseal
from mpftconnect.conformance.signing.marks import marks_in
from mpftconnect.conformance.signing.trust import Role, Trust, TrustedKey
from mpftconnect.errors import UsageError

__all__ = ["Mismatch", "Verification", "verify_report"]

Verdict = Literal["unaltered", "altered", "unsigned", "not-trusted"]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that is not as it was signed or as it is said to be.

    Args:
        place: The file, or the part of the statement.
        says: What does not match, in one sentence.
    """

    place: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found.

    Args:
        verdict: `altered` if anything does not match; `unsigned` if nobody signed; `not-trusted` if no signature is of
            a key that is to be believed; else `unaltered`.
        mismatches: Exactly what does not match.
        signed_by: Keys to be believed whose signature is right.
        doubts: Why the others are not.
        run_by: `self-run`, `challenged` or `buyer-witnessed`: as far as signatures show it.
        expired: Whether the day that the signer named is past, or the challenge's.
        notes: What a reader must know: the target, the age, versions, grants, errata.
        corrected: Results that stand otherwise under mistakes of ours that are known now.
    """

    verdict: Verdict
    mismatches: tuple[Mismatch, ...]
    signed_by: tuple[TrustedKey, ...]
    doubts: tuple[str, ...]
    run_by: str
    signed: str
    age_days: int | None
    expires: str
    expired: bool
    demonstration: str
    notes: tuple[str, ...]
    grants: tuple[Mapping[str, str], ...] = ()
    corrected: tuple[Corrected, ...] = ()

    @property
    def sentence(self) -> str:
        """What may be said of it, in one sentence."""
        if self.verdict == "unaltered":
            names = " and ".join(f"{key.name} ({key.organisation}, {key.role})" for key in self.signed_by)
            return f"Unaltered since signed by {names}; not a judgement that the run was honest."
        return {
            "altered": "Not what was signed, or not what it says it is: see what does not match.",
            "unsigned": "Not signed: nothing shows whether it was altered.",
            "not-trusted": "Signed by nobody whom the trust file believes.",
        }[self.verdict]


def verify_report(
    folder: Path,
    trust: Trust,
    *,
    packs: Sequence[Pack] = (),
    catalog: Catalog | None = None,
    formats: Sequence[ReportFormat] = (),
    today: date | None = None,
) -> Verification:
    """Hold a report's folder against its signatures, and the report against what it holds.

    Args:
        trust: Whose keys are believed.
        packs: Those that are installed: their errata are applied.
        catalog: All that is installed, in place of `packs`: where it is the report's own judge, outcomes are judged
            again.
        formats: Those that are installed: where the release is the report's own, pages and tables are made again.
    Raises:
        UsageError: The folder is no report at all.
    """
    now = today or datetime.now(UTC).date()
    stored = read_folder(folder)
    packs = list(catalog.packs.values()) if catalog is not None else packs
    mismatches = [Mismatch(name, "is not what the manifest says") for name in altered(folder)]
    followed, doubtful = _followed(folder, stored, trust, packs, catalog, formats)
    opened, problem = _opened(folder / FILE, trust)
    if problem:
        mismatches.append(Mismatch(FILE, problem))
    believed: list[TrustedKey] = []
    doubts: list[str] = []
    predicate: Mapping[str, Any] = {}
    if opened is not None:
        believed, doubts = _believed(opened, trust)
        mismatches += [Mismatch(FILE, f"the signature of key {id_[:16]} is wrong") for id_ in opened.wrong]
        given = opened.statement.get("predicate")
        predicate = given if isinstance(given, dict) else {}
        mismatches += _against_statement(folder, opened, stored)
    mismatches += followed if not mismatches else []  # what was altered need not be told twice
    whole = all(each.says != NOT_WHOLE for each in followed)
    challenge, found, answered = _challenge(folder, stored, trust) if whole else (None, [], False)
    mismatches += found
    witnesses = _beside(folder, "witness-*.dsse.json", WITNESS, trust)
    grants = _grants(folder, trust, now)
    expires = str(predicate.get("expires", ""))
    signed = str(predicate.get("signed", ""))
    day = day_signed(opened.statement) if opened is not None else None
    verdict: Verdict = "unaltered"
    if mismatches:
        verdict = "altered"
    elif opened is None:
        verdict = "unsigned"
    elif not believed:
        verdict = "not-trusted"
    run_by = "challenged" if challenge is not None and answered else "self-run"
    if witnesses:
        run_by = "buyer-witnessed"
    return Verification(
        verdict=verdict,
        mismatches=tuple(mismatches),
        signed_by=tuple(believed),
        doubts=tuple(doubts),
        run_by=run_by,
        signed=signed,
        age_days=(now - day).days if day else None,
        expires=expires,
        expired=_past(expires, now),
        demonstration=str(stored.report.get("demonstration", "")),
        notes=(*_notes(stored, challenge, witnesses, packs), *doubtful) if whole else (),
        grants=grants,
        corrected=corrected(stored.report, packs) if whole else (),
    )


def _followed(
    folder: Path,
    stored: Stored,
    trust: Trust,
    packs: Sequence[Pack],
    catalog: Catalog | None,
    formats: Sequence[ReportFormat],
) -> tuple[list[Mismatch], list[str]]:
    """What does not follow from what the folder holds, though every digest may match; and notes."""
    found = [Mismatch(place, says) for place, says in does_not_follow(stored, packs)]
    notes: list[str] = []
    if catalog is not None and not found:
        believed = replace(stored, files=with_signers(stored.files, trust))
        differing, notes = judged_otherwise(believed, catalog)
        found += [Mismatch(place, says) for place, says in differing]
    if formats and not found and judge_digests((), ())["engine"] == stored.report["judge"].get("engine"):
        digests = {
            each.file: hashlib.sha256((folder / each.file).read_bytes()).hexdigest()
            for each in formats
            if (folder / each.file).is_file()
        }
        found += [Mismatch(name, f"is not what {REPORT} gives") for name in forms_amiss(stored, formats, digests)]
    return found, notes


def _opened(path: Path, trust: Trust) -> tuple[Opened | None, str]:
    if not path.exists():
        return None, ""
    try:
        opened = unseal(read_sealed(path), trust.public, name=path.name)
    except UsageError as error:
        return None, str(error)
    if opened.statement.get("predicateType") != PREDICATE:
        return None, "speaks of something else than a report"
    return opened, ""


def _believed(opened: Opened, trust: Trust) -> tuple[list[TrustedKey], list[str]]:
    signed = day_signed(opened.statement)
    believed, doubts = [], []
    for id_ in opened.signed_by:
        doubt = trust.doubt(id_, signed)
        if doubt:
            doubts.append(f"{trust.keys[id_].name}: {doubt}")
        else:
            believed.append(trust.keys[id_])
    if opened.unknown:
        many = "1 signature is" if opened.unknown == 1 else f"{opened.unknown} signatures are"
        doubts.append(f"{many} of a key that is not in the trust file")
    return believed, doubts


def _against_statement(folder: Path, opened: Opened, stored: Stored) -> Iterator[Mismatch]:
    """What the statement says against the folder and the report."""
    stated: dict[str, str] = {}
    subjects = opened.statement.get("subject")
    for each in subjects if isinstance(subjects, list) else ():
        try:
            stated[str(each["name"])] = str(each["digest"]["sha256"])
        except (KeyError, TypeError):
            yield Mismatch(FILE, "names a file without its sha256")
    for needed in (MANIFEST, REPORT):
        if needed not in stated:
            yield Mismatch(FILE, f"does not speak of {needed}")
    for name, digest in stated.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            yield Mismatch(FILE, "speaks of a file outside the folder")
        elif not path.is_file():
            yield Mismatch(name, "was signed, and is not there")
        elif hashlib.sha256(read_sealed(path)).hexdigest() != digest:
            yield Mismatch(name, "is not what was signed")
    predicate = opened.statement.get("predicate")
    try:
        claims = json.loads(json.dumps(claims_of(stored.report)))
    except (KeyError, TypeError, AttributeError):
        yield Mismatch(REPORT, "is not whole")
        return
    for name, claim in claims.items():
        if not isinstance(predicate, dict) or predicate.get(name) != claim:
            yield Mismatch(REPORT, f"its {name} is not that of the statement that was signed")


def _challenge(folder: Path, stored: Stored, trust: Trust) -> tuple[Challenge | None, list[Mismatch], bool]:
    """The challenge that the report answers, what does not fit it, and whether a believed buyer had issued it."""
    run = stored.report["run"]
    path = folder / CHALLENGE_FILE
    if not path.is_file():
        said = run.get("challenge")
        return None, [Mismatch(REPORT, "names a challenge that is not in the evidence")] if said else [], False
    try:
        opened = unseal(read_sealed(path), trust.public, name=CHALLENGE_FILE)
        challenge = challenge_from(opened, name=CHALLENGE_FILE)
    except UsageError as error:
        return None, [Mismatch(CHALLENGE_FILE, str(error))], False
    found = [Mismatch(CHALLENGE_FILE, f"the signature of key {id_[:16]} is wrong") for id_ in opened.wrong]
    if run.get("challenge") != challenge.digest:
        found.append(Mismatch(REPORT, "does not name the challenge that is in the evidence"))
    subject = stored.report["subject"]
    digests = {pack["name"]: pack["digest"] for pack in stored.report["packs"]}
    started = datetime.fromisoformat(run["started"])
    found += [
        Mismatch(CHALLENGE_FILE, says)
        for says in challenge.refuses(
            product=subject["product"], version=subject["version"], packs=digests, today=started.date()
        )
    ]
    if started < datetime.fromisoformat(challenge.issued):
        found.append(Mismatch(REPORT, "the run began before the challenge was issued"))
    marks = marks_in(challenge, stored.exchanges)
    found += [Mismatch(f"evidence, exchange {id_}", "does not carry the challenge's mark") for id_ in marks.lacking]
    # Messages alone that may be of any day answer nobody, whatever else is signed with them.
    bound = marks.carried > 0 or marks.unbound == 0
    issued = datetime.fromisoformat(challenge.issued).date()
    buyers = [id_ for id_ in opened.signed_by if trust.keys[id_].role == "buyer" and not trust.doubt(id_, issued)]
    return challenge, found, bool(buyers) and bound and not found


def _beside(folder: Path, pattern: str, kind: str, trust: Trust, role: Role = "buyer") -> list[tuple[TrustedKey, Any]]:
    """Statements beside the report that speak of it, by keys that are believed."""
    report = hashlib.sha256(read_sealed(folder / REPORT)).hexdigest()
    found: list[tuple[TrustedKey, Any]] = []
    for path in sorted(folder.glob(pattern)):
        try:
            opened = unseal(read_sealed(path), trust.public, name=path.name)
        except UsageError:
            continue
        if opened.statement.get("predicateType") != kind or report not in digests_in(opened.statement):
            continue
        signed = day_signed(opened.statement)
        keys = [trust.keys[id_] for id_ in opened.signed_by if not trust.doubt(id_, signed)]
        found += [(key, opened.statement.get("predicate")) for key in keys if key.role == role]
    return found


def _grants(folder: Path, trust: Trust, today: date) -> tuple[Mapping[str, str], ...]:
    found = []
    for key, predicate in _beside(folder, "grant-*.dsse.json", GRANT, trust):
        if isinstance(predicate, dict):
            until = str(predicate.get("granted_until", ""))
            found.append(
                {
                    "requirement": str(predicate.get("requirement", "")),
                    "granted_by": f"{key.name} ({key.organisation})",
                    "until": until,
                    "expired": "yes" if _past(until, today) else "",
                    "reason": str(predicate.get("reason", "")),
                }
            )
    return tuple(found)


def _notes(
    stored: Stored, challenge: Challenge | None, witnesses: Sequence[tuple[TrustedKey, Any]], packs: Sequence[Pack]
) -> Iterator[str]:
    report = stored.report
    target = report.get("target", {})
    if target.get("host"):
        fingerprint = target.get("certificate_sha256")
        yield f"target: {target['host']}, certificate {fingerprint or 'not seen'}"
    for line in target.get("lines", ()):
        yield f"{line['role']} at {line['address']}, certificate {', '.join(line['certificates']) or 'not seen'}"
    reported = target.get("version_reported")
    declared = report["subject"].get("version", "")
    if reported and reported != declared:
        yield f"the system reports version {reported}, and the supplier declares {declared}"
    elif not reported:
        yield "the system reports no version of itself; the supplier's declaration stands alone"
    if partial := partial_words(report):
        yield f"partial: {partial}"
    if challenge is not None:
        yield f"run for a challenge by {challenge.buyer}, issued {challenge.issued}, open until {challenge.expires}"
        if unbound := marks_in(challenge, stored.exchanges).unbound:
            many = "1 message does" if unbound == 1 else f"{unbound} messages do"
            yield f"{many} not carry the challenge's mark: we answered none of them, and they may be older"
    for key, predicate in witnesses:
        says = str(predicate.get("says", "")) if isinstance(predicate, dict) else ""
        yield f"witnessed by {key.name} ({key.organisation}): {says}"
    changed = set()
    for each in corrected(report, packs):
        erratum = each.erratum
        stands = ""
        if each.before != each.after:
            stands = f" It stands as {each.after}, and no longer as {each.before}."
            changed |= {each.requirement.partition("#")[0]} if each.decides else set()
        yield f"known since {erratum.date} of {each.requirement} ({erratum.effect}): {erratum.text}{stands}"
    for name in sorted(changed):
        yield f"the verdict of {name} may no longer stand: report rejudge says what it is now"
    here = {pack.name: pack for pack in packs}
    for row in report["packs"]:
        pack = here.get(row["name"])
        if pack is not None and pack.digest != row["digest"]:
            yield f"{row['name']} is installed here as another revision: report rejudge says what it would find"


def _past(day: str, today: date) -> bool:
    try:
        return date.fromisoformat(day) < today
    except ValueError:
        return False
