"""Records that several rooms test with: one lifelike, and items with every field filled."""

from __future__ import annotations

import importlib.util
import ssl
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import AwareDatetime

from mpftconnect.errors import GapReason
from mpftconnect.hub.record import Conflict, Gap, Joined, Record, SystemAnswer, Unmatched, Withheld
from mpftconnect.model import (
    SECTION_TYPES,
    Action,
    Actor,
    AdditionalPlan,
    Address,
    Agreement,
    AllergyIntolerance,
    Appointment,
    Attachment,
    CarePlan,
    CareTeam,
    CommunicationNeed,
    Concept,
    Condition,
    Consent,
    ContactPoint,
    ContingencyPlan,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Extra,
    Flag,
    Goal,
    HumanName,
    Identifier,
    Immunization,
    Item,
    LegalStatus,
    Line,
    MedicationStatement,
    Model,
    Need,
    Notice,
    Observation,
    ObservationComponent,
    PartialDate,
    Participant,
    Patient,
    Period,
    ProgressNote,
    Quantity,
    Reaction,
    ReferenceRange,
    RelatedPerson,
    Section,
    SectionName,
    SectionStatus,
    ServiceRequest,
    Source,
    When,
    concept,
)

M = TypeVar("M", bound=Model)
MADE = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)


def _filled(annotation: Any, path: str, alternative: int, text: Callable[[str], str]) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _filled(arguments[0], path, alternative, text)
    if origin in (typing.Union, types.UnionType):
        choices = [a for a in arguments if a is not type(None)]
        return _filled(choices[alternative % len(choices)], path, alternative, text)
    if origin is tuple:
        return (_filled(arguments[0], f"{path}.0", alternative, text),)
    if origin is typing.Literal:
        return arguments[alternative % len(arguments)]
    if annotation is str:
        return "dGV4dA==" if path.endswith(("data_base64", ".hash")) else text(path)
    if annotation is When:
        return When("2024-05-06T07:08:00Z")
    if annotation is PartialDate:
        return PartialDate("1950-03-02")
    if annotation in (AwareDatetime, datetime):
        return MADE
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return list(annotation)[alternative % len(annotation)]
    if annotation is bool:
        return alternative % 2 == 0
    if annotation is int:
        return 7
    if annotation is Decimal:
        return Decimal("72.50")
    if annotation is Extra:
        return Extra(path="left[0].over", json_text='{"dose":2.50}')
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return fill(annotation, path=path, alternative=alternative, text=text)
    raise AssertionError(f"no way to fill {path}: {annotation}")


def fill(
    kind: type[M], *, path: str = "", alternative: int = 0, text: Callable[[str], str] = lambda path: f"text of {path}"
) -> M:
    """An object of that type with every field filled, down to the leaves; `text` makes each string from its path.

    `alternative` picks which type stands where several may.
    """
    path = path or kind.__name__
    hints = {name: field.annotation for name, field in kind.model_fields.items()}
    return kind(**{name: _filled(hint, f"{path}.{name}", alternative, text) for name, hint in hints.items()})


@pytest.fixture(scope="session", autouse=True)
def no_terminology_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What whoever runs the tests has imported must not decide one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPFT_TERMINOLOGY", str(tmp_path_factory.getbasetemp() / "no-terminology"))
        yield


@pytest.fixture(scope="session")
def filled() -> Callable[..., Any]:
    return fill


def source(system: str, local_id: str, **rest: Any) -> Source:
    return Source(system=system, id=local_id, fetched=MADE - timedelta(seconds=2), **rest)


def _patient() -> Patient:
    return Patient(
        source=source("pds", "Patient/9990000018", version="3"),
        identifiers=(Identifier.nhs("999 000 0018", "01"),),
        names=(
            HumanName(use="usual", family="Okafor", given=("Grace", "Adaeze"), prefix=("Mrs",)),
            HumanName(use="maiden", family="Nwosu", given=("Grace",)),
        ),
        gender="female",
        birth_date=PartialDate("1950-03-02"),
        addresses=(Address(use="home", line=("3 Elm Row",), city="Stafford", postal_code="ZZ99 3CZ"),),
        telecom=(ContactPoint(system="phone", value="01632 960001", use="home"),),
        general_practitioner=(Actor(organization="Elm Row Surgery", organization_code="Y00001"),),
        communication=(
            CommunicationNeed(language=Concept(text="Igbo"), preferred=True, interpreter_required=True),
            CommunicationNeed(note="Hears better on the left side"),
        ),
        reasonable_adjustments=(concept("Needs a longer appointment"), concept("Letters in large print")),
    )


NURSE = Actor(name="Sam Patel", role="community nurse", organization="Midshire Community Trust", organization_code="Y9")
COORDINATOR = Actor(
    name="Ada Jones",
    role="care coordinator",
    organization="Midshire Community Trust",
    telecom=(ContactPoint(system="phone", value="01632 960044", use="work"),),
)


def _plans() -> tuple[CarePlan, ...]:
    rio = CarePlan(
        source=source("rio", "careplans.csv#12", mode="extract", as_of=MADE - timedelta(hours=7)),
        status="active",
        intent="plan",
        title="Community mental health care plan",
        created=When("2026-05-04"),
        author=COORDINATOR,
        about_me=(Line(heading="What matters to me", description="Sunday lunch with my sister, and my garden."),),
        strengths=(Line(description="Knows early when a low spell is coming."),),
        needs=(
            Need(description="Low mood since her husband died", status="active", priority="high"),
            Need(description="Lives alone; few visitors in winter", status="active"),
        ),
        goals=(
            Goal(
                description="To be out in the garden three times a week",
                status="active",
                achievement=concept("Improving"),
                target=When("2026-09"),
                author=NURSE,
                recorded=When("2026-06-01"),
            ),
        ),
        actions=(
            Action(
                description="Weekly visit to talk and to check on sleep",
                status="in-progress",
                who=(NURSE,),
                scheduled="every Tuesday morning",
            ),
        ),
        contingency=(
            ContingencyPlan(
                kind="crisis",
                triggers=(Line(description="The days around 14 February"),),
                early_signs=(
                    Line(description="Stops answering the telephone"),
                    Line(description="Does not open the curtains"),
                ),
                what_to_do=(
                    Line(description="Ring her sister first"),
                    Line(description="Visit the same day; sit with her, do not hurry"),
                ),
                what_not_to_do=(Line(description="Do not send her to the emergency department alone"),),
                whom_to_call=(
                    COORDINATOR,
                    Actor(
                        name="Crisis team, all hours",
                        telecom=(ContactPoint(system="phone", value="01632 960999", use="work"),),
                    ),
                ),
            ),
        ),
        agreement=Agreement(agreed=True, by=Actor(name="Grace Okafor"), date=When("2026-05-04")),
        review=When("2026-11-04"),
        team=(Participant(actor=NURSE, role=concept("visits weekly")),),
        coordinator=COORDINATOR,
        additional_plans=(AdditionalPlan(type=concept("ReSPECT form"), location="Hall table, green folder"),),
    )
    gp = CarePlan(
        source=source("gp", "CarePlan/77"),
        status="active",
        title="Long-term conditions plan",
        period=Period(start=When("2026-02-10")),
        author=Actor(name="Dr Lee Hart", role="GP", organization="Elm Row Surgery"),
        goals=(Goal(description="Blood pressure below 140/90 at home", status="active"),),
        actions=(Action(description="Home blood pressure diary, twice a day for a week", status="scheduled"),),
    )
    old = CarePlan(
        source=source("rio", "careplans.csv#3", mode="extract", as_of=MADE - timedelta(hours=7)),
        status="completed",
        title="Bereavement support plan",
        created=When("2025-03-01"),
        author=NURSE,
        goals=(Goal(description="To sleep through the night again", status="completed"),),
        contingency=(ContingencyPlan(what_to_do=(Line(description="Ring the bereavement line in the evening"),)),),
        agreement=Agreement(agreed=False, note="She wished for fewer visits"),
    )
    return rio, gp, old


def _items() -> dict[SectionName, tuple[Item, ...]]:
    potassium = {
        "code": concept("Serum potassium", "1000651000000109"),
        "reference_ranges": (ReferenceRange(low=Quantity(value="3.5"), high=Quantity(value="5.3"), text=None),),
        "author": Actor(organization="Midshire Pathology"),
    }
    note = (
        "Seen at home. Brighter than last week; has been out to the garden twice. Sleeping five hours. "
        "Eating with her sister on Sundays.\n\nPlan: continue weekly visits."
    )
    return {
        SectionName.ALERTS: (
            Flag(
                source=source("rio", "alerts.csv#4", mode="extract", as_of=MADE - timedelta(hours=7)),
                status="active",
                code=concept("Dog at the property: ask for it to be shut away"),
                category=(concept("Risk to staff"),),
                period=Period(start=When("2026-01-20")),
            ),
        ),
        SectionName.ALLERGIES: (
            AllergyIntolerance(
                source=source("gp", "AllergyIntolerance/5"),
                code=concept("Penicillin", "764146007"),
                clinical_status=concept(
                    "Active", "active", "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
                ),
                verification_status=concept("Confirmed", "confirmed"),
                criticality="high",
                recorded=When("1998-06"),
                author=Actor(name="Dr Lee Hart", role="GP"),
                reactions=(Reaction(manifestation=(concept("Swelling of the face"),), severity="severe"),),
            ),
            AllergyIntolerance(
                source=source("rio", "alerts.csv#9", mode="extract"),
                code=concept("No known allergies", "716186003"),
                recorded=When("2025-11-02"),
            ),
            AllergyIntolerance(
                source=source("acute", "AL-2"),
                code=concept("Latex", "111088007"),
                verification_status=concept(None, "refuted"),
                recorded=When("2019-04-05"),
                note=("Patch test negative",),
            ),
        ),
        SectionName.MEDICATIONS: (
            MedicationStatement(
                source=source("gp", "MedicationStatement/1"),
                also=(source("acute", "MS-9"),),
                status="active",
                medication=concept("Sertraline 50 mg tablets", "321927003"),
                dosage=(Dosage(text="One tablet each morning", route=concept("Oral")),),
                course=concept("Repeat"),
                effective=Period(start=When("2026-04-01")),
                last_issued=When("2026-06-18"),
                author=Actor(name="Dr Lee Hart", role="GP"),
            ),
            MedicationStatement(
                source=source("gp", "MedicationStatement/2"),
                status="stopped",
                medication=concept("Zopiclone 7.5 mg tablets"),
                status_reason=(concept("No longer needed"),),
                effective=Period(start=When("2025-02-01"), end=When("2025-03-01")),
            ),
        ),
        SectionName.PROBLEMS: (
            Condition(
                source=source("gp", "Condition/8"),
                code=concept("Essential hypertension", "59621000"),
                clinical_status=concept(None, "active"),
                onset=When("2011"),
            ),
            Condition(
                source=source("gp", "Condition/9"),
                code=concept("Asthma", "195967001"),
                verification_status=concept(None, "entered-in-error"),
                recorded=When("2020-01-08"),
            ),
        ),
        SectionName.RESULTS: (
            Observation(
                source=source("acute", "R-100"),
                status="final",
                effective=When("2026-06-20T08:15:00+01:00"),
                value=Quantity(value="5.60", unit="mmol/L"),
                interpretation=(concept("High"),),
                **potassium,
            ),
            Observation(
                source=source("acute", "R-099"),
                status="entered-in-error",
                effective=When("2026-06-19T08:15:00+01:00"),
                value=Quantity(value="9.10", unit="mmol/L"),
                note=("Sample belonged to another patient",),
                **potassium,
            ),
            *(
                Observation(
                    source=source("gp", f"Observation/{n}"),
                    status="final",
                    code=concept("Systolic blood pressure"),
                    effective=When(f"2026-05-{n + 1:02}"),
                    value=Quantity(value=str(130 + n), unit="mmHg"),
                )
                for n in range(14)
            ),
        ),
        SectionName.REPORTS: (
            DiagnosticReport(
                source=source("acute", "X-4"),
                status="final",
                code=concept("Chest X-ray"),
                issued=When("2026-03-11T16:02:00Z"),
                conclusion="Clear lungs. Heart size normal.",
            ),
        ),
        SectionName.NOTES: (
            ProgressNote(source=source("rio", "notes.csv#88"), text=note, date=When("2026-06-23T10:20"), author=NURSE),
            ProgressNote(
                source=source("rio", "notes.csv#87"),
                text="Telephone call before the visit. " + "She spoke of the garden at some length. " * 30,
                date=When("2025-10-26T01:30"),
                author=NURSE,
            ),
        ),
        SectionName.ENCOUNTERS: (
            Encounter(
                source=source("rio", "contacts.csv#51"),
                status="finished",
                type=(concept("Home visit"),),
                period=Period(start=When("2026-06-23T10:00"), end=When("2026-06-23T10:40")),
                participants=(Participant(actor=NURSE),),
            ),
        ),
        SectionName.APPOINTMENTS: (
            Appointment(
                source=source("rio", "appointments.csv#7"),
                status="booked",
                description="Memory clinic, first visit",
                start=When("2026-07-14T14:00"),
                minutes=60,
                location=(Actor(name="Castle House, room 4"),),
                patient_instruction="Bring your glasses",
            ),
        ),
        SectionName.DOCUMENTS: (
            DocumentReference(
                source=source("acute", "D-31"),
                status="current",
                type=concept("Discharge letter"),
                date=When("2026-03-14"),
                description="Discharge letter, chest pain clinic",
                attachments=(Attachment(content_type="application/pdf", url="https://acute.example/d/31", size=48211),),
            ),
        ),
        SectionName.LEGAL_STATUS: (
            LegalStatus(
                source=source("rio", "legal.csv#1"),
                status="active",
                code=concept("Lasting power of attorney for health and welfare"),
                period=Period(start=When("2024-08-01")),
                authority=Actor(organization="Office of the Public Guardian"),
            ),
        ),
        SectionName.CONTACTS: (
            RelatedPerson(
                source=source("rio", "contacts.csv#2"),
                relationship=(concept("Sister"),),
                names=(HumanName(family="Nwosu", given=("Ruth",)),),
                telecom=(ContactPoint(system="phone", value="01632 960002", use="mobile"),),
                emergency_contact=True,
            ),
        ),
        SectionName.IMMUNISATIONS: (
            Immunization(
                source=source("gp", "Immunization/3"),
                status="completed",
                vaccine=concept("Influenza vaccine, 2025 season"),
                occurrence=When("2025-10-09"),
                lot_number="F25-118",
            ),
        ),
        SectionName.CONSENTS: (
            Consent(
                source=source("rio", "consent.csv#1"),
                status="active",
                scope=concept("Sharing with her sister"),
                decision="permit",
                given=When("2026-05-04"),
            ),
        ),
        SectionName.CARE_TEAM: (
            CareTeam(
                source=source("rio", "team.csv#1"),
                name="Older people's community team",
                participants=(Participant(actor=COORDINATOR), Participant(actor=NURSE)),
            ),
        ),
        SectionName.REFERRALS: (
            ServiceRequest(
                source=source("gp", "ServiceRequest/4"),
                status="active",
                intent="order",
                priority="routine",
                code=concept("Referral to memory clinic"),
                authored=When("2026-05-28"),
                extra=(Extra(path="supportingInfo[0]", json_text='{"display":"letter"}'),),
            ),
        ),
        SectionName.CARE_PLANS: _plans(),
    }


def make_record(sections: dict[SectionName, Section[Any]] | None = None, **fields: Any) -> Record:
    """A record of the sections given; those left out were not asked for."""
    every = {name: Section(name) for name in SectionName} | (sections or {})
    settled: dict[str, Any] = {"patient": _patient(), "restriction": "U", "identity_confirmed": True}
    settled |= {"made": MADE, "correlation_id": "7f0c2a9e"} | fields
    return Record(**settled, **{str(name): section for name, section in every.items()})


def _lifelike(**fields: Any) -> Record:
    statuses = dict.fromkeys(SectionName, SectionStatus.ITEMS) | {
        SectionName.ALLERGIES: SectionStatus.PARTIAL,
        SectionName.RESULTS: SectionStatus.PARTIAL,
        SectionName.CONSENTS: SectionStatus.PARTIAL,
    }
    late = {SectionName.ALLERGIES, SectionName.RESULTS, SectionName.CONSENTS}
    sections = {
        name: Section(
            name,
            items,
            statuses[name],
            asked=("rio", "gp", "acute"),
            missing=("icr",) if name in late else (),
            warnings=(
                (Notice("confidential-items", "Some items are confidential at the practice and are not shown.", "gp"),)
                if name is SectionName.MEDICATIONS
                else ()
            ),
        )
        for name, items in _items().items()
    }
    answer = {"environment": "test", "answered": MADE - timedelta(seconds=1)}
    settled: dict[str, Any] = {
        "conflicts": (
            Conflict(
                kind="several-active-plans",
                section=SectionName.CARE_PLANS,
                text="Two care plans are active",
                items=("rio:careplans.csv#12", "gp:CarePlan/77"),
                systems=("gp", "rio"),
            ),
            Conflict(
                kind="allergy-against-none-known",
                section=SectionName.ALLERGIES,
                text="One system records an allergy where another records that no allergy is known",
                items=("gp:AllergyIntolerance/5", "rio:alerts.csv#9"),
                systems=("gp", "rio"),
            ),
        ),
        "gaps": (
            Gap(system="icr", reason=GapReason.TIMED_OUT),
            Gap(system="acute", section=SectionName.CONSENTS, reason=GapReason.NOT_DECLARED),
        ),
        "unmatched": (
            Unmatched(
                system="prison",
                reason="birth-date-differs",
                text="its date of birth differs from the traced one.",
                kinds=(SectionName.MEDICATIONS, SectionName.NOTES),
            ),
        ),
        "withheld": (
            Withheld(
                policy="role-to-sections",
                section=SectionName.NOTES,
                system="icr",
                text="Notes of the regional record are not shown to this role.",
            ),
        ),
        "notices": (Notice("extract-age", "The extracts that this system gives are cut at 02:30 each night.", "rio"),),
        "systems": (
            SystemAnswer(
                system="pds",
                supplier="NHS England",
                product="Personal Demographics Service",
                outcome="answered",
                tried_against="published examples",
                **answer,
            ),
            SystemAnswer(
                system="rio",
                supplier="Access",
                product="RiO",
                outcome="answered",
                tried_against="nothing; the interface is assumed",
                assumed=True,
                **answer,
            ),
            SystemAnswer(
                system="gp",
                supplier="Synthetic",
                product="GP record",
                outcome="answered",
                tried_against="nothing",
                **answer,
            ),
            SystemAnswer(
                system="acute",
                supplier="Synthetic",
                product="Hospital record",
                outcome="partly",
                tried_against="nothing",
                **answer,
            ),
            SystemAnswer(
                system="icr",
                supplier="Synthetic",
                product="Regional record",
                outcome="silent",
                tried_against="nothing",
                environment="test",
            ),
            SystemAnswer(
                system="prison",
                supplier="Synthetic",
                product="Prison health record",
                outcome="set-apart",
                tried_against="nothing",
                **answer,
            ),
        ),
        "held_as": (
            Patient(
                source=source("rio", "Patient/c-77"),
                identifiers=(Identifier.nhs("999 000 0018"), Identifier(system="urn:rio:client", value="c-77")),
                names=(HumanName(use="usual", family="Okafor", given=("Grace",)),),
                birth_date=PartialDate("1950-03-02"),
                communication=(CommunicationNeed(note="Signs with her hands close to her face"),),
                reasonable_adjustments=(concept("Flick the light before you enter"),),
                extra=(Extra(path="contact[0]", json_text='{"text":"kept beside"}'),),
            ),
        ),
        "joined": (
            Joined(system="pds", rule="traced", text="It is the tracing service that named this person."),
            Joined(
                system="rio",
                rule="number-birth-date-family-name",
                text="NHS number, date of birth and family name agree with the trace.",
            ),
        ),
    }
    return make_record(sections, **(settled | fields))


@pytest.fixture(scope="session")
def record_of() -> Callable[..., Record]:
    """Makes a record of given sections: `record_of({name: Section(...)}, gaps=...)`."""
    return make_record


@pytest.fixture(scope="session")
def lifelike() -> Callable[..., Record]:
    """Makes a record such as a nurse would see, with gaps, conflicts and much else."""
    return _lifelike


@dataclass(frozen=True)
class Hostile:
    """Text that a browser or a reader must not be taken in by."""

    texts: tuple[str, ...] = (
        "<script>document.title='owned'</script>",
        '"><img src=x onerror=alert(1)>',
        "</style><script>alert(2)</script>",
        "javascript:alert(3)",
        "{{ 7 * 7 }}{% raw %}",
        "<!--",
        "&lt;b&gt;",
        "dose \u202e05 \u0000 end",
    )


@pytest.fixture(scope="session")
def hostile() -> Hostile:
    return Hostile()


@pytest.fixture(scope="session")
def section_types() -> dict[SectionName, type[Item]]:
    return SECTION_TYPES


@pytest.fixture(scope="session")
def hostile_summary() -> Callable[[dict[str, Any]], Any]:
    """A report's view in which every open text was chosen by somebody who means harm."""
    path = Path(__file__).parent / "conformance" / "hostile_report.py"
    spec = importlib.util.spec_from_file_location("hostile_report", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[[dict[str, Any]], Any] = module.hostile_summary
    return made


@dataclass(frozen=True)
class Certificates:
    """A made-up authority, and a certificate of its for `localhost`."""

    authority: Path
    server: ssl.SSLContext
    client: Path
    stranger: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    authority, authority_key = _certificate(folder, "authority", None, None, names=())
    _certificate(folder, "server", authority, authority_key, names=("localhost",))
    _certificate(folder, "client", authority, authority_key, names=("client",))
    _certificate(folder, "stranger", None, None, names=("localhost",))
    return Certificates(
        folder / "authority.pem",
        _context(folder / "server.pem"),
        folder / "client.pem",
        _context(folder / "stranger.pem"),
    )


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _certificate(folder: Path, name: str, issuer: Any, issuer_key: Any, names: tuple[str, ...]) -> tuple[Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    is_authority = not names
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        # From Python 3.13 on, certificates without these are refused (ssl.VERIFY_X509_STRICT).
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, is_authority, is_authority, False, False), critical=True
        )
    )
    if names:
        alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
        alternatives.append(x509.IPAddress(ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(issuer_key or key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem + secret)
    return certificate, key


def _category(code: str, text: str | None = None) -> tuple[Concept, ...]:
    return (concept(text, code, "http://terminology.hl7.org/CodeSystem/observation-category"),)


def _results() -> dict[SectionName, tuple[Item, ...]]:
    """Results of many kinds, each with words of its own; and beside them what is none."""

    def observation(name: str, status: str | None = "final", **fields: Any) -> Observation:
        fields = {"value": Quantity(value="5.60", unit="mmol/L"), "effective": When("2026-06-20T08:15")} | fields
        return Observation(source=source("acute", name), code=concept(name), status=status, **fields)

    def report(name: str, status: str | None = "final", **fields: Any) -> DiagnosticReport:
        return DiagnosticReport(source=source("acute", name), code=concept(name), status=status, **fields)

    def document(name: str, status: str = "current", **fields: Any) -> DocumentReference:
        fields = {"date": When("2026-06-20")} | fields
        return DocumentReference(source=source("acute", name), description=name, status=status, **fields)

    statuses = ("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "odd")
    return {
        SectionName.RESULTS: (
            *(observation(f"Sodium, {status}", status) for status in statuses),
            observation("Sodium, status not stated", None, category=_category("laboratory")),
            observation("Sodium, taken back", "cancelled", note=("Sample haemolysed",)),
            observation("Sodium, not dated", effective=None),
            observation("Blood gases", value=None, components=(ObservationComponent(code=concept("pH"), value="7.4"),)),
            observation("Culture", value=None, data_absent_reason=concept("Not performed")),
            observation("Chest X-ray finding", category=_category("imaging")),
            observation("Held by two", also=(source("gp", "Observation/9"),)),
            observation("Called a vital sign in words alone", category=(concept("vital-signs"),)),
            observation("Both kinds", category=(*_category("vital-signs"), *_category("laboratory"))),
            observation("Pulse", category=_category("vital-signs")),
            observation("Smoking", category=_category("social-history", "Social history")),
        ),
        SectionName.REPORTS: (
            *(report(f"Liver function, {status}", status, issued=When("2026-06-21")) for status in statuses),
            report("Liver function, taken back", "cancelled", note=("Reported under another patient",)),
            report("Liver function, not dated", None),
        ),
        SectionName.DOCUMENTS: (
            document("Scanned sheet, by its type", type=concept("Radiology report")),
            document("Scanned sheet, by its code", type=concept(None, "371528001")),
            document("Scanned sheet, superseded", "superseded", category=(concept("Laboratory"),)),
            document("Scanned sheet, withdrawn", "entered-in-error", practice_setting=concept("Histopathology")),
            document("Ultrasound of abdomen"),
            document("Discharge letter", type=concept("Discharge summary")),
        ),
    }


@pytest.fixture(scope="session")
def record_of_results() -> Record:
    """A record of results of many kinds, two of which are in dispute, and of items that are no results."""
    results = _results()
    items = _items() | results
    sections = {name: Section(name, found, SectionStatus.PARTIAL, ("gp",), ("gp",)) for name, found in items.items()}
    disputed = tuple(results[SectionName.RESULTS][at].key for at in (2, 4))
    conflict = Conflict(kind="values-differ", section=SectionName.RESULTS, text="Two values differ", items=disputed)
    return make_record(sections, conflicts=(conflict,))
