"""What STU3 writes in another way than R4: bare codes, dosages, who asked, extensions under two addresses.

Source: HL7 FHIR STU3 (3.0.2), Data Types; the page of each resource.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from mpftconnect.fhir.codecs import Codec
from mpftconnect.fhir.datatypes import ACTOR, CONCEPT, DOSAGE_FIELDS, DOSE_AND_RATE
from mpftconnect.fhir.fields import Ext, ExtNested, Field, Struct
from mpftconnect.fhir.reading import ABSENT, Reading, Unreadable, join
from mpftconnect.model import Actor, Coding, Concept, Dosage

__all__ = ["DOSAGE", "ActorInRole", "BareCode", "Requested", "under"]


class BareCode(Codec):
    """A concept of the model where STU3 has a bare code.

    Codes that R4 has too are read as codes of R4's system, so that one fact reads alike from either version; any other
    is read as its own words and never mapped to a near one.

    Args:
        system: R4's code system; None where the code is kept without a system.
        known: Its codes; none where every code is read as one of it.
    """

    def __init__(self, system: str | None, known: Collection[str] = ()) -> None:
        self._system, self._known = system, frozenset(known)

    def read(self, raw: Any, path: str, ctx: Reading) -> Concept:
        if type(raw) is not str:
            raise Unreadable
        if self._known and raw not in self._known:
            return Concept(text=raw)
        return Concept(coding=(Coding(system=self._system, code=raw),))

    def write(self, value: Concept) -> str:
        return next((c.code for c in value.coding if c.system == self._system and c.code), None) or value.words()


class _Also(Ext):
    """An extension under a second address: read as the first; the address itself is kept as left over."""

    def __init__(self, url: str, first: Ext) -> None:
        super().__init__(first.attr, url, {})
        self._first = first

    @property
    def attrs(self) -> tuple[str, ...]:
        return self._first.attrs

    def read_one(self, ext: dict[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        before = {attr: into.get(attr, ABSENT) for attr in self.attrs}
        self._first.read_one(ext, path, ctx, into)
        if any(into.get(attr, ABSENT) is not value for attr, value in before.items()):
            ctx.keep(join(path, "url"), self.url)

    def write_all(self, model: Any, out: list[Any]) -> None:
        pass


def under(urls: Iterable[str], attr: str, codecs: Mapping[str, Codec] | Codec | Iterable[Ext], **how: Any) -> list[Ext]:
    """An extension that is in use under several addresses, of which the first is written.

    Args:
        attr: The model's attribute; unused where `codecs` are the parts of an extension made of extensions.
        codecs: As `Ext` takes them, or those parts.
        how: Further arguments of `Ext`.
    """
    first, *others = urls
    entry = Ext(attr, first, codecs, **how) if isinstance(codecs, Mapping | Codec) else ExtNested(first, *codecs)
    return [entry, *(_Also(url, entry) for url in others)]


# FHIR STU3, Dosage: dose and rate stand in the dosage itself; R4 put them into `doseAndRate`.
DOSAGE: Final = Struct(Dosage, *DOSAGE_FIELDS, *DOSE_AND_RATE)


class Requested(Field):
    """Who asked: `requester.agent`; where nobody is named there, who recorded it, which is kept as sent as well.

    FHIR STU3, MedicationRequest.requester, ReferralRequest.requester and ProcedureRequest.requester: `agent` and, where
    the agent is a person, `onBehalfOf`.
    """

    def __init__(self, *, recorder: bool = False) -> None:
        self.keys = ("requester", "recorder") if recorder else ("requester",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj.get("requester", ABSENT)
        if type(raw) is dict and type(raw.get("agent")) is dict:
            into["author"] = ACTOR.read(raw["agent"], "requester.agent", ctx)
            for key, value in raw.items():
                if key != "agent":
                    ctx.keep(f"requester.{key}", value)
        elif raw is not ABSENT:
            ctx.keep("requester", raw)
        recorder = obj.get("recorder", ABSENT) if "recorder" in self.keys else ABSENT
        if recorder is ABSENT:
            return
        ctx.keep("recorder", recorder)
        if "author" not in into and type(recorder) is dict:
            into["author"] = ACTOR.read(recorder, "recorder", ctx.aside())

    def write(self, model: Any, out: dict[str, Any]) -> None:
        if model.author is not None:
            out["requester"] = {"agent": ACTOR.write(model.author)}


class ActorInRole(Codec):
    """Someone who took part, as `actor` and `role`: FHIR STU3, DiagnosticReport.performer, Immunization.practitioner.

    The role is shown with the actor, where the actor's own role is not known, and kept as sent.
    """

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Actor:
        if type(raw) is not dict or type(raw.get("actor")) is not dict:
            raise Unreadable
        actor: Actor = ACTOR.read(raw["actor"], join(path, "actor"), ctx)
        for key, value in raw.items():
            if key != "actor":
                ctx.keep(join(path, key), value)
        role = raw.get("role")
        if actor.role is None and type(role) is dict and ("text" in role or "coding" in role):
            words = CONCEPT.read(role, "", ctx.aside()).words()
            return actor.model_copy(update={"role": words})
        return actor

    def write(self, value: Actor) -> dict[str, Any]:
        return {"actor": ACTOR.write(value)}
