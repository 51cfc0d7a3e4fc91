"""Read one person's record and say what it does and does not know."""

from mpftconnect import AccessContext, Record, connect

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


def show(record: Record) -> None:
    print(record.patient.words(), "| according to", record.patient.source.system)

    print("\nGoals, from all active plans")
    for line in record.care_plan.goals:
        print(f"  {line.description} | {line.plan.source.system}, {line.agreement.words()}")

    print("\nSections")
    for name, section in record.sections.items():
        print(f"  {name:15} {len(section):3} shown | {section.words()}")

    print("\nWhat disagrees, and what is silent")
    for conflict in record.conflicts:
        print(" ", conflict.text)
    for gap in record.gaps:
        print(" ", gap.words())

    print(f"\n{record.never_shown}\n{record.not_for}")


def main() -> None:
    with connect(sandbox=True) as hub:
        show(hub.record("999 000 0018", WHO))


if __name__ == "__main__":
    main()
