"""The twin of a bordering region's record: a FHIR R4 twin that offers what HL7 UK's draft names, and some more.

Source: HL7 UK, UK Core Access 0.1.0 (draft), "Clinical Data"; HL7 FHIR R4 (4.0.1), Binary, "Serving Binary Resources
using the RESTful API". Assumed: which types it offers beyond the draft, and that it holds no administrations and no
dispenses of medicines.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from mpftconnect.adapters import TwinRequest, TwinResponse, json_response
from mpftconnect.sandbox import FhirTwin, Person
from mpftconnect_icr.settings import ALSO

__all__ = ["SYSTEM", "BorderTwin", "configure"]

SYSTEM = "icr-border"


class BorderTwin(FhirTwin):
    """Answers for the people who have a view named `icr-border`.

    Args:
        people: Whom it may know.
    """

    base_path = "/UKCore/R4/"
    local_id_system = "https://mpftconnect.example/sandbox/id/icr-border"
    also_by: Mapping[str, str] = {"DocumentReference": "category"}
    types = ("AllergyIntolerance", "Immunization", "MedicationRequest", "MedicationStatement", *ALSO)

    def __init__(self, people: Sequence[Person]) -> None:
        super().__init__(people, SYSTEM)
        self._binaries: dict[str, Mapping[str, str]] = {
            id_: binary
            for person in self.held.values()
            for id_, binary in person.systems[SYSTEM].settings.get("binaries", {}).items()
        }

    def answer(self, path: list[str], request: TwinRequest) -> TwinResponse:
        match path:
            case ["Binary", id_] if f"Binary/{id_}" in self._binaries:
                return self._binary(f"Binary/{id_}", request)
        return super().answer(path, request)

    def _binary(self, id_: str, request: TwinRequest) -> TwinResponse:
        binary = self._binaries[id_]
        content = binary["text"].encode()
        if request.headers.get("Accept", "").startswith("application/fhir+json"):
            data = base64.b64encode(content).decode()
            kind = {"resourceType": "Binary", "contentType": binary["content_type"]}
            return json_response({**kind, "id": id_.rpartition("/")[2], "data": data})
        return TwinResponse(200, {"Content-Type": binary["content_type"]}, content)


def configure(twin: BorderTwin, base_url: str) -> dict[str, Any]:
    """The system's table of a configuration that reads this twin."""
    return {
        "adapter": "icr-fhir",
        "endpoint": base_url.rstrip("/") + twin.base_path.rstrip("/"),
        "settings": {"also_reads": list(ALSO)},
        "secrets": {"token": twin.token},
    }
