"""Search by demographics, and compare the record with what the user had in front of them."""

from mpftconnect import AccessContext, Demographics, PartialDate, connect
from mpftconnect.errors import TooManyMatches
from mpftconnect.model import format_nhs_number

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


def main() -> None:
    with connect(sandbox=True) as hub:
        known = hub.record("999 000 0018", WHO, sections=["alerts"]).patient
        wanted = Demographics(family=known.name.family, birth_date=known.birth_date, gender=known.gender)

        try:
            people = hub.find(wanted, WHO)
        except TooManyMatches as error:
            print("Ask for more details:", error)
            return
        print(people.words())
        for person in people:
            print(format_nhs_number(person.nhs_number), person.words())

        # The user's paper says another birth date: the record says so, and the user decides.
        paper = Demographics(family=known.name.family, birth_date=PartialDate("1900-01-01"))
        record = hub.record(people[0].nhs_number, WHO, sections=["alerts"], expect=paper)
        print("Differs from what you have:", ", ".join(record.mismatches))


if __name__ == "__main__":
    main()
