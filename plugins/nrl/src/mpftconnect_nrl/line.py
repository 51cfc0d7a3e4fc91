"""One way of speaking to the locator's two APIs: who asks, for which organisation, and what comes back.

Source: NRL consumer and producer specifications, header parameters `NHSD-End-User-Organisation-ODS` and `X-Request-ID`
(which the wire sends), media type `application/fhir+json;version=1`. Searches go by POST, "the preferred method":
an NHS number in a URL would stand in logs along the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mpftconnect.adapters import Answer, Reading, SignedJwtAuth, Wire
from mpftconnect.errors import AnswerRejected, NotPermitted
from mpftconnect.model import NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM, SNOMED, NhsNumber
from mpftconnect_nrl.outcomes import resource_of

__all__ = ["CONSUMER", "MEDIA_TYPE", "POINTER_ID", "PRODUCER", "Line"]

CONSUMER = "consumer/FHIR/R4/DocumentReference"
PRODUCER = "producer/FHIR/R4/DocumentReference"
MEDIA_TYPE = "application/fhir+json;version=1"
# Schema DocumentReference.id: an ODS code, a hyphen and what the locator or its producer chose.
POINTER_ID = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9.]+-[A-Za-z0-9]+[A-Za-z0-9_-]*", re.ASCII)
ODS_CODE = re.compile(r"[A-Za-z0-9]{2,12}", re.ASCII)


class Line:
    """Asks the locator for one organisation at a time.

    Args:
        organisation: ODS code to ask for, in place of the user's own organisation.
    """

    def __init__(self, auth: SignedJwtAuth, organisation: str | None) -> None:
        self._auth, self._organisation = auth, organisation

    def organisation(self, reading: Reading) -> str:
        """ODS code of the organisation for which is asked.

        Raises:
            NotPermitted: The user's organisation is no ODS code.
        """
        organisation = self._organisation or reading.who.organisation
        if not ODS_CODE.fullmatch(organisation):
            raise NotPermitted("the user's organisation is not an ODS code", system=reading.system)
        return organisation

    def headers(self, reading: Reading) -> dict[str, str]:
        return {"Accept": MEDIA_TYPE, "NHSD-End-User-Organisation-ODS": self.organisation(reading)}

    def wire(self, reading: Reading) -> Wire:
        return reading.wire.bound(deadline=reading.deadline, auth=self._auth, headers=self.headers(reading))

    def search(
        self,
        reading: Reading,
        api: str,
        number: NhsNumber,
        *,
        kinds: tuple[str, ...] = (),
        category: str | None = None,
        custodian: str | None = None,
        by_get: bool = False,
    ) -> Mapping[str, Any]:
        """The answer to a search, a Bundle.

        Args:
            api: `CONSUMER` or `PRODUCER`.
            kinds: Types of document, SNOMED CT codes; all if none is given.
            category: SNOMED CT code.
            custodian: ODS code; the consumer API alone knows it.
            by_get: By GET, with the NHS number in the URL.
        """
        asked = self._asked(number, kinds, category, custodian)
        wire = self.wire(reading)
        if by_get:
            return resource_of(wire.get(api, asked, label="search by GET"))
        return resource_of(wire.post(f"{api}/_search", json=asked, safe=True, label="search"))

    def count(self, reading: Reading, number: NhsNumber, *, kinds: tuple[str, ...] = ()) -> int:
        """How many pointers there are that we may see."""
        asked = {**self._asked(number, kinds, None, None), "_summary": "count"}
        wire = self.wire(reading)
        bundle = resource_of(wire.post(f"{CONSUMER}/_search", json=asked, safe=True, label="count"))
        total = bundle.get("total")
        if isinstance(total, bool) or not isinstance(total, int) or total < 0:
            raise AnswerRejected("is not a number of pointers", system=reading.system, place="total")
        return total

    def read(self, reading: Reading, api: str, pointer_id: str) -> Mapping[str, Any]:
        """One pointer by its id; it may be about anybody, which is for the caller to check."""
        if not POINTER_ID.fullmatch(pointer_id):
            raise AnswerRejected("is not the id of a pointer", system=reading.system, place="DocumentReference.id")
        found = resource_of(self.wire(reading).get(f"{api}/{quote(pointer_id, safe='')}", label="read"))
        if found.get("resourceType") != "DocumentReference" or found.get("id") != pointer_id:
            raise AnswerRejected("is not the pointer that was asked for", system=reading.system)
        return found

    def knock(self, wire: Wire) -> Answer:
        """A search without parameters, which is refused only to those who were let in; it names nobody."""
        headers = {"Accept": MEDIA_TYPE}
        if self._organisation:
            headers["NHSD-End-User-Organisation-ODS"] = self._organisation
        return wire.bound(auth=self._auth, headers=headers).get(CONSUMER, label="check")

    @staticmethod
    def _asked(
        number: NhsNumber, kinds: tuple[str, ...], category: str | None, custodian: str | None
    ) -> dict[str, str]:
        asked = {"subject:identifier": f"{NHS_NUMBER_SYSTEM}|{number}"}
        if kinds:
            asked["type"] = ",".join(f"{SNOMED}|{code}" for code in kinds)
        if category:
            asked["category"] = f"{SNOMED}|{category}"
        if custodian:
            asked["custodian:identifier"] = f"{ODS_ORGANIZATION_SYSTEM}|{custodian}"
        return asked
