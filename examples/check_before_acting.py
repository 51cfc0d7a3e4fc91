"""Before relying on what is not in a list, require that the list is complete.

The second read is made while one system fails: the same code then refuses to go on, and says whom to ask.
"""

from mpftconnect import AccessContext, Record, connect, load_plugins
from mpftconnect.adapters import Fault
from mpftconnect.errors import IncompleteRecord
from mpftconnect.model import Item
from mpftconnect.sandbox import Sandbox

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


def words(item: Item) -> str:
    return f"{item.words()} (says {', '.join(source.system for source in item.sources)})"


def allergies_for_the_screen(record: Record) -> list[str]:
    """The allergies if the list is complete; otherwise what the user must do."""
    try:
        complete = record.allergies.require_complete()
    except IncompleteRecord as reason:
        known = [f"Known so far: {words(item)}" for item in record.allergies]
        return [f"NOT COMPLETE. Ask the person and check the source. ({reason})", *known]
    return [words(item) for item in complete] or [complete.words()]


def main() -> None:
    with Sandbox(load_plugins()) as sandbox, connect(sandbox=sandbox) as hub:
        print("All systems answer:")
        for line in allergies_for_the_screen(hub.record("999 000 0018", WHO, sections=["allergies"])):
            print(" ", line)
        system = hub.record("999 000 0018", WHO, sections=["allergies"]).allergies.asked[0]
        with sandbox.faults[system].on(Fault.SERVER_ERROR):
            print(f"\n{system} fails:")
            for line in allergies_for_the_screen(hub.record("999 000 0018", WHO, sections=["allergies"])):
                print(" ", line)


if __name__ == "__main__":
    main()
