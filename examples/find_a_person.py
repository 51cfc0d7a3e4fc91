"""Search by demographics, and compare the record with what the user had in front of them."""

from mpftconnect import AccessContext, Demographics, PartialDate, connect
from mpftconnect.errors import TooManyMatches
from mpftconnect.model import Patient, format_nhs_number

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


def line(patient: Patient) -> str:
    """A very restricted person may have no name, and a person may have no NHS number."""
    number = format_nhs_number(patient.nhs_number) if patient.nhs_number else "no NHS number"
    return f"{number} {patient.words()}"


def main() -> None:
    with connect(sandbox=True) as hub:
        known = hub.record("999 000 0018", WHO, sections=["alerts"]).patient
        family = known.name.family if known.name else None
        wanted = Demographics(family=family, birth_date=known.birth_date, gender=known.gender)

        try:
            people = hub.find(wanted, WHO)
        except TooManyMatches as error:
            print("Ask for more details:", error)
            return
        print(people.words())
        for person in people:
            print(line(person))

        # The user's paper says another birth date: the record says so, and the user decides.
        paper = Demographics(family=family, birth_date=PartialDate("1900-01-01"))
        record = hub.record("999 000 0018", WHO, sections=["alerts"], expect=paper)
        print("Differs from what you have:", ", ".join(record.mismatches))


if __name__ == "__main__":
    main()
