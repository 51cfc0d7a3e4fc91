"""Rules for definitions that are to be published, where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["publication_rules"]

_WORK_GROUP = "http://hl7.org/fhir/StructureDefinition/structuredefinition-wg"


def publication_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """HL7's own definitions name their committee; experimental content is refused where that is asked for."""
    if not isinstance(value.get("url"), str):
        return
    if run.options.no_experimental_content and value.get("experimental") is True:
        run.error("publication", place, "must not be experimental")
    if run.options.for_publication and value["url"].startswith("http://hl7.org/fhir/") and "status" in value:
        listed = value.get("extension")
        if not any(
            isinstance(e, dict) and e.get("url") == _WORK_GROUP for e in (listed if isinstance(listed, list) else ())
        ):
            run.error("publication", place, "must name the committee that owns it, because HL7 publishes it")
