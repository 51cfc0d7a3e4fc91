"""Checks of the DTAC form: routing, what was answered, and what the documents show. None of them assesses.

`pass` needs the decision of a named assessor; documents alone end at `evidence-found`, answers alone at `attested`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mpftconnect.conformance import Cause, CauseKind, Check, Evidence, EvidenceFile, Finding, Outcome, Status
from mpftconnect_conformance.dtac.assessment import Decision, decisions_in
from mpftconnect_conformance.dtac.documents import Located, look_at, rules
from mpftconnect_conformance.dtac.form import CHARTER, FORM_VERSION, Answers, Question, answers_in, questions

__all__ = ["CHECKS", "judge_documents"]

PACK = "dtac-2.0"
# Answers that what was observed can contradict: the requirements of other packs, by id.
_CONTRADICTED_BY = {
    "C4.1.2": ("open-api#1", "open-api#4"),
    "C4.2.1": ("mpft-safety#1",),
    "C4.2.2": ("mpft-safety#1", "mpft-safety#2"),
}
_AFTER = ("open-api", "mpft-safety")
_RELATED = {
    110: ("clinical-safety-case", "hazard-log"),
    111: ("accessible-information-self-assessment",),
    112: ("accessibility-audit",),
    113: ("article-28-terms",),
    114: ("carbon-reduction-plan",),
    115: ("net-zero-commitment",),
}


def _filled(evidence: Evidence) -> Answers | None:
    return answers_in(evidence.answers)


def _judge(question: Question, evidence: Evidence) -> Outcome:
    answers = _filled(evidence)
    if answers is None or answers.form != FORM_VERSION:
        return Outcome.not_tested('supplier.toml has no answers on form 2.0: [answers.dtac] with form = "2.0"')
    if skipped := answers.skipped_by(question.code):
        if skipped.startswith("C3.2 "):
            return Outcome.stated(Status.NOT_ASKED, CHARTER)
        return Outcome.stated(Status.NOT_APPLICABLE, f"the form asks it only where {skipped}")
    if not question.scored:
        return _recorded(question, answers, evidence)
    return _scored(question, answers, evidence)


def _recorded(question: Question, answers: Answers, evidence: Evidence) -> Outcome:
    given = answers.answered(question.code) or any(evidence.files.get(kind) for kind in _kinds(question, answers))
    said = "answered" if given else "not answered"
    return Outcome.stated(Status.RECORDED, f"{said}; not scored", observations=int(given))


def _scored(question: Question, answers: Answers, evidence: Evidence) -> Outcome:
    kinds = _kinds(question, answers)
    if question.kind != "file" and not answers.answered(question.code):
        return Outcome.not_tested(f"{question.code} is reached, and was not answered")
    findings = [*_refused_answer(question, answers), *_contradictions(question, answers, evidence)]
    missing = [kind for kind in kinds if not evidence.files.get(kind)]
    files: list[EvidenceFile] = [f for kind in kinds for f in evidence.files.get(kind, ())]
    unclear: list[str] = []
    seen: list[str] = []
    for file in files:
        looked = _look(file, evidence)
        findings += [Finding(rule=f"{question.code}-document", message=f"{file.name}: {w}") for w in looked.wrong]
        unclear += [f"{file.name}: {u}" for u in looked.unclear]
        seen.append(looked.seen)
    if not findings:
        unclear += _unclear_answer(question, answers)
    decisions = decisions_in(evidence)
    decision = decisions.of(question.code, files)
    notes = [f"assessment not counted: {refusal}" for refusal in decisions.refused]
    if findings:
        return Outcome.failed(findings, _own_words(question), observations=len(files) or 1, notes=notes)
    if missing:
        names = ", ".join(rules()[kind].title if kind in rules() else kind for kind in missing)
        why = f"{question.code} asks for: {names}; supplier.toml names no evidence of kind {', '.join(missing)}"
        return Outcome.not_tested(why, notes=notes)
    if decision is not None:
        return _decided(question, decision, files, seen, notes)
    if unclear:
        return Outcome.inconclusive(
            "; ".join(unclear),
            Cause(
                kind=CauseKind.UNCLEAR,
                because="what was given does not show all that the question asks for",
                otherwise="it stands there in other words, or in a form that cannot be read here",
                mend="state it in supplier.toml or add the section; or let a named assessor decide",
            ),
            notes=notes,
        )
    if files:
        return _found(seen, len(files), notes)
    return Outcome.stated(Status.ATTESTED, "the supplier says so; nobody has judged it", observations=1, notes=notes)


def _kinds(question: Question, answers: Answers) -> tuple[str, ...]:
    """The kinds of evidence that the question asks for, given its answer."""
    found = []
    for each in question.files:
        kind, _, only = each.partition(" if ")
        if not only or answers.word(question.code) == only:
            found.append(kind)
    return tuple(found)


def _refused_answer(question: Question, answers: Answers) -> Iterator[Finding]:
    """An answer that the form does not offer, or with which the question is not met."""
    if not question.closed:
        return
    word = answers.word(question.code)
    if word not in question.closed:
        options = ", ".join(question.closed)
        yield Finding(rule=f"{question.code}-option", message=f"the answer is none of those offered: {options}")
    elif question.passes and word not in question.passes:
        if question.or_else and answers.answered(question.or_else):
            return
        instead = f", and {question.or_else} is not answered instead" if question.or_else else ""
        wanted = " or ".join(question.passes)
        yield Finding(rule=f"{question.code}-answer", message=f"the answer is not {wanted}{instead}")


def _contradictions(question: Question, answers: Answers, evidence: Evidence) -> Iterator[Finding]:
    if answers.word(question.code) not in ("yes", "confirmed"):
        return
    for other in _CONTRADICTED_BY.get(question.code, ()):
        if evidence.outcomes.get(other) is Status.FAIL:
            yield Finding(
                rule=f"{question.code}-contradicted",
                message=f"the answer contradicts what was observed: {other} failed in this run",
            )


def _unclear_answer(question: Question, answers: Answers) -> Iterator[str]:
    """What a free answer must name and does not, where it is given as a table."""
    given = answers.given.get(question.code)
    if "safety-officer" in question.also:
        wanted = ("name", "profession", "registration")
        if not isinstance(given, dict) or not all(str(given.get(name, "")).strip() for name in wanted):
            yield f"{question.code}: name, profession and registration are not told apart: give a table of the three"
    if "transfer" in question.also:
        yield from _transfers(question, given)


def _transfers(question: Question, given: object) -> Iterator[str]:
    rows = given if isinstance(given, list) else [given]
    for row in rows:
        if not isinstance(row, dict) or not row.get("country"):
            yield f"{question.code}: expected a table for each country: country, mechanism, transfer_risk_assessment"
            continue
        mechanism = str(row.get("mechanism", "")).strip().lower()
        if mechanism not in ("adequacy", "idta", "bcr"):
            yield f"{question.code}: the mechanism of a country is none of adequacy, IDTA, BCR"
        elif mechanism != "adequacy" and row.get("transfer_risk_assessment") is not True:
            yield f"{question.code}: a transfer risk assessment is not stated for a country without adequacy"


def _decided(
    question: Question, decision: Decision, files: Sequence[EvidenceFile], seen: Sequence[str], notes: Sequence[str]
) -> Outcome:
    said = f"decided on {decision.day} by {decision.by}; signed by {decision.signed_by}"
    if decision.met:
        return Outcome.passed(1 + len(files), f"{said}: {decision.reason}", notes=notes)
    return Outcome.failed(
        [Finding(rule=f"{question.code}-assessed", message=f"{said}: {decision.reason}")],
        Cause(
            kind=CauseKind.SUPPLIER,
            because="a named assessor decided that it is not met",
            ruled_out="the decision is signed, and of these documents",
            otherwise="the assessor saw an older document",
            mend="answer the assessor's reason, and have it decided again",
        ),
        observations=1 + len(files),
        observed="; ".join(seen),
        notes=notes,
    )


def _own_words(question: Question) -> Cause:
    return Cause(
        kind=CauseKind.SUPPLIER,
        because=f"the supplier's own answer or document to {question.code} says so",
        ruled_out="nothing was asked of a system: the answer and the document are before us",
        otherwise="supplier.toml states something that the document does not",
        mend="correct supplier.toml, or give the document that is in date",
    )


def _judge_form(evidence: Evidence) -> Outcome:
    answers = _filled(evidence)
    if answers is None or (not answers.form and not answers.given):
        return Outcome.not_tested('supplier.toml has no answers on form 2.0: [answers.dtac] with form = "2.0"')
    findings = []
    if answers.form != FORM_VERSION:
        said = f"the answers are of form {answers.form}" if answers.form else "the answers name no form version"
        findings.append(Finding(rule="form-version", message=f"{said}; expected {FORM_VERSION}"))
    version = evidence.subject.version if evidence.subject else ""
    if str(answers.given.get("A3", "")).strip() != version:
        findings.append(Finding(rule="product-version", message="A3 does not name the product version that is tested"))
    findings += [Finding(rule="unknown-code", message=f"{code} is no question of the form") for code in answers.unknown]
    for code, question in questions().items():
        skipped = answers.skipped_by(code)
        if skipped and answers.answered(code):
            message = f"{code} is answered, and the form asks it only where {skipped}"
            findings.append(Finding(rule="route", message=message))
        elif question.scored and not skipped and question.kind != "file" and not answers.answered(code):
            findings.append(Finding(rule="unanswered", message=f"{code} is reached, and was not answered"))
    if findings:
        cause = Cause(
            kind=CauseKind.SUPPLIER,
            because="the form itself says so",
            ruled_out="nothing was asked of a system: the answers are before us",
            otherwise="our transcription of the form's routes is wrong",
            mend="correct [answers.dtac]",
        )
        return Outcome.failed(findings, cause, observations=len(answers.given))
    erratum = "C4.2 = No leads to C4.3, which does not exist: read as the end of C4"
    return Outcome.passed(
        len(answers.given),
        f"{len(answers.given)} answers, form {answers.form}",
        notes=[erratum] if answers.word("C4.2") == "no" else [],
    )


def _judge_history(evidence: Evidence) -> Outcome:
    answers = _filled(evidence)
    count = len(answers.history) if answers else 0
    return Outcome.stated(Status.RECORDED, f"{count} answers on form 1.0", observations=count)


def judge_documents(kinds: Sequence[str], evidence: Evidence) -> Outcome:
    """Documents of those kinds: there, in date, and as they are stated to be; never more than `evidence-found`."""
    files = [f for kind in kinds for f in evidence.files.get(kind, ())]
    missing = [kind for kind in kinds if not evidence.files.get(kind)]
    if missing:
        return Outcome.not_tested(f"supplier.toml names no evidence of kind {', '.join(missing)}")
    looked = [_look(file, evidence) for file in files]
    wrong = [Finding(rule="document", message=w) for each in looked for w in each.wrong]
    if wrong:
        cause = Cause(
            kind=CauseKind.SUPPLIER,
            because="the document's own dates or statements say so",
            ruled_out="nothing was asked of a system: the document is before us",
            mend="give the document that is in date",
        )
        return Outcome.failed(wrong, cause, observations=len(files))
    notes = [u for each in looked for u in each.unclear]
    return _found([each.seen for each in looked], len(files), notes)


def _found(seen: Sequence[str], count: int, notes: Sequence[str]) -> Outcome:
    said = f"{'; '.join(seen)}: there and in date; nobody has judged it"
    return Outcome.stated(Status.EVIDENCE_FOUND, said, observations=count, notes=notes)


def _look(file: EvidenceFile, evidence: Evidence) -> Located:
    subject = evidence.subject
    entity, version = (subject.entity, subject.version) if subject is not None else ("", "")
    return look_at(file, today=evidence.today, entity=entity, version=version)


def _check(number: int, judge: Callable[[Evidence], Outcome], after: tuple[str, ...] = ()) -> Check:
    return Check(name=f"{PACK}#{number}", judge=judge, patient=False, after=after)


def _question(question: Question) -> Check:
    after = _AFTER if question.code in _CONTRADICTED_BY else ()
    return _check(question.requirement, lambda evidence: _judge(question, evidence), after)


def _related(number: int, kinds: Sequence[str]) -> Check:
    return _check(number, lambda evidence: judge_documents(kinds, evidence))


CHECKS = [
    _check(100, _judge_form),
    *(_question(question) for question in questions().values()),
    _check(101, _judge_history),
    *(_related(number, kinds) for number, kinds in _RELATED.items()),
]
"""One check for each requirement of the pack."""
