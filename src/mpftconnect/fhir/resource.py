"""A FHIR resource as an item of the model: its table, its provenance in `meta`, and what was left over.

Where an item comes from travels in `meta`: `versionId` and `lastUpdated` natively where R4 can hold them, the rest
in our extensions. What the model cannot hold travels in an extension per piece, so that nothing is lost either way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import DATE_TIME, INSTANT, TEXT, Codec, OneOf
from mpftconnect.fhir.datatypes import ACTOR, CONCEPT, IDENTIFIER, NOTE, REFERENCE
from mpftconnect.fhir.fields import Ext, Extensions, ExtStruct, Field, Many, One, Skip, Struct
from mpftconnect.fhir.json_text import parse_json
from mpftconnect.fhir.reading import ABSENT, NotMapped, Reading, Unreadable, join
from mpftconnect.model import Extra, Item, Source, When

__all__ = ["ID", "Resource", "clinical", "native_id"]

# FHIR R4 (4.0.1), data types: id.
ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


class _Aware(Codec):
    """A moment of ours, with its offset; read only if it is written the same."""

    def read(self, raw: Any, path: str, ctx: Reading) -> datetime:
        if type(raw) is not str:
            raise Unreadable
        try:
            moment = datetime.fromisoformat(raw)
        except ValueError:
            raise Unreadable from None
        if moment.tzinfo is None or self.write(moment) != raw:
            raise Unreadable
        return moment

    def write(self, value: datetime) -> str:
        try:
            return value.astimezone(UTC).isoformat()
        except OverflowError:
            return value.isoformat()


def _native_version(source: Source) -> str | None:
    return source.version if source.version is not None and ID.fullmatch(source.version) else None


def _native_updated(source: Source) -> When | None:
    updated = source.updated
    return updated if updated is not None and INSTANT.write_pair(updated) == (updated.text, ABSENT) else None


def _source(version: Ext, updated: Ext) -> ExtStruct:
    aware = _Aware()
    return ExtStruct(
        Source,
        Ext("system", "system", {"String": TEXT}),
        Ext("id", "id", {"String": TEXT}),
        version,
        Ext("fetched", "fetched", {"Instant": aware}),
        Ext("mode", "mode", {"Code": OneOf(("live", "extract", "feed", "cache"))}),
        Ext("as_of", "asOf", {"Instant": aware}),
        updated,
    )


_SOURCE: Final = _source(
    Ext("version", "version", {"String": TEXT}, get=lambda s: None if _native_version(s) else s.version),
    Ext("updated", "updated", {"DateTime": DATE_TIME}, get=lambda s: None if _native_updated(s) else s.updated),
)
_ALSO: Final = _source(
    Ext("version", "version", {"String": TEXT}),
    Ext("updated", "updated", {"DateTime": DATE_TIME}),
)


class _Extra(ExtStruct):
    def __init__(self) -> None:
        super().__init__(Extra, Ext("path", "path", {"String": TEXT}), Ext("json_text", "json", {"String": TEXT}))

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        extra = super().read(raw, path, ctx)
        try:
            parse_json(extra.json_text.encode(), max_depth=500)
        except AnswerRejected:
            raise Unreadable from None
        return extra


def native_id(source_id: str) -> str | None:
    """The id that FHIR can carry of a source's id: what follows its last slash, if that is a FHIR id.

    >>> native_id("Condition/17"), native_id("careplans.csv#42")
    ('17', None)
    """
    last = source_id.rpartition("/")[2]
    return last if ID.fullmatch(last) else None


# HL7 v3 Confidentiality; the codes are those of the PDS FHIR API (`Restriction`), with the displays that PDS sends.
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
# The same code system by the name that FHIR STU3 gave it.
_CONFIDENTIALITY_SYSTEMS = (_CONFIDENTIALITY, "http://hl7.org/fhir/v3/Confidentiality")
_RESTRICTIONS: Final = {
    code: {"system": _CONFIDENTIALITY, "code": code, "display": display}
    for code, display in (
        ("U", "unrestricted"),
        ("R", "restricted"),
        ("V", "very restricted"),
        ("REDACTED", "redacted"),
    )
}


class Resource(Struct):
    """One resource type of the model's.

    Args:
        resource_type: FHIR `resourceType`.
        model: The model's type.
        fields: The table, without what every resource has.
        extensions: The resource's own extensions.
        confidential: `meta.security` says whether the person is restricted (`Patient`).
    """

    def __init__(
        self,
        resource_type: str,
        model: type[Item],
        fields: Sequence[Field],
        *,
        extensions: Sequence[Ext] = (),
        defaults: Mapping[str, Any] | None = None,
        confidential: bool = False,
    ) -> None:
        self.resource_type = resource_type
        self.item_type = model
        self._confidential = confidential
        super().__init__(
            model,
            Skip("resourceType", "id", "meta", "contained"),
            Extensions(*extensions, Ext("extra", ext.EXTRA, _Extra(), many=True)),
            *fields,
            defaults=defaults or {},
        )

    # --- reading ---------------------------------------------------------------------------------------------

    def read_item(self, resource: dict[str, Any], source: Source | None, ctx: Reading) -> Item:
        """The item, with everything that the model cannot hold in `extra`."""
        into: dict[str, Any] = dict(self._defaults)
        self._read_meta(resource, source, ctx, into)
        read: dict[str, Any] = {}
        self.read_fields(resource, "", ctx, read)
        self.finish(read, resource, "", ctx)
        self._keep_contained(resource, ctx)
        into.update(read)
        into["extra"] = (*into.get("extra", ()), *ctx.extra)
        return self.item_type(**into)

    def _read_meta(self, resource: dict[str, Any], given: Source | None, ctx: Reading, into: dict[str, Any]) -> None:
        meta = resource.get("meta", ABSENT)
        if meta is not ABSENT and type(meta) is not dict:
            ctx.keep("meta", meta)
        members: dict[str, Any] = meta if type(meta) is dict else {}
        source = given or self._read_own_source(members, ctx, into)
        updates: dict[str, Any] = {}
        for name, raw in members.items():
            place = join("meta", name)
            if name == "versionId" and type(raw) is str and source.version in (None, raw):
                updates["version"] = raw
                if not ID.fullmatch(raw):
                    ctx.keep(place, raw)
            elif name == "lastUpdated":
                updated = self._updated(raw, source, ctx)
                if updated is None:
                    ctx.keep(place, raw)
                else:
                    updates["updated"] = updated
            elif name == "security" and self._confidential:
                self._read_security(raw, place, ctx, into)
            elif name != "extension" or given is not None:
                ctx.keep(place, raw)
        into["source"] = Source(**{**source.__dict__, **updates}) if updates else source
        if "id" in resource and resource["id"] != native_id(source.id):
            ctx.keep("id", resource["id"])

    @staticmethod
    def _updated(raw: Any, source: Source, ctx: Reading) -> When | None:
        try:
            updated = INSTANT.read(raw, "", ctx)
        except Unreadable:
            return None
        usable = INSTANT.write_pair(updated) == (raw, ABSENT) and source.updated in (None, updated)
        return updated if usable else None

    @staticmethod
    def _read_own_source(meta: dict[str, Any], ctx: Reading, into: dict[str, Any]) -> Source:
        """The source that an item written by us carries."""
        found: Source | None = None
        also: list[Source] = []
        extensions = meta.get("extension")
        for index, raw in enumerate(extensions if type(extensions) is list else ()):
            place = f"meta.extension[{index}]"
            url = raw.get("url") if type(raw) is dict else None
            mark = len(ctx.extra)
            try:
                if url == ext.SOURCE and found is None:
                    found = _SOURCE.read(raw, place, ctx)
                    continue
                if url == ext.ALSO:
                    also.append(_ALSO.read(raw, place, ctx))
                    continue
            except Unreadable:
                del ctx.extra[mark:]
            ctx.keep(place, raw)
        if found is None:
            raise NotMapped("names no source, and none was given", place="meta")
        if also:
            into["also"] = tuple(also)
        return found

    @staticmethod
    def _read_security(raw: Any, place: str, ctx: Reading, into: dict[str, Any]) -> None:
        if type(raw) is not list:
            ctx.keep(place, raw)
            return
        for index, label in enumerate(raw):
            code = (
                label.get("code") if type(label) is dict and label.get("system") in _CONFIDENTIALITY_SYSTEMS else None
            )
            if type(code) is str and code in _RESTRICTIONS and "restriction" not in into:
                into["restriction"] = code
                if label == _RESTRICTIONS[code]:
                    continue
            ctx.keep(f"{place}[{index}]", label)

    @staticmethod
    def _keep_contained(resource: dict[str, Any], ctx: Reading) -> None:
        raw = resource.get("contained")
        if type(raw) is list:
            for index, part in enumerate(raw):
                if index not in ctx.taken:
                    ctx.keep(f"contained[{index}]", part)
        elif "contained" in resource:
            ctx.keep("contained", raw)

    # --- writing ---------------------------------------------------------------------------------------------

    def write_item(self, item: Item) -> dict[str, Any]:
        """The resource."""
        out: dict[str, Any] = {"resourceType": self.resource_type}
        own_id = native_id(item.source.id)
        if own_id is not None:
            out["id"] = own_id
        out["meta"] = self._meta(item)
        for field in self._fields:
            field.write(item, out)
        return out

    def _meta(self, item: Item) -> dict[str, Any]:
        meta: dict[str, Any] = {}
        if version := _native_version(item.source):
            meta["versionId"] = version
        if updated := _native_updated(item.source):
            meta["lastUpdated"] = updated.text
        meta["extension"] = [{"url": ext.SOURCE, **_SOURCE.write(item.source)}]
        meta["extension"] += [{"url": ext.ALSO, **_ALSO.write(source)} for source in item.also]
        restriction = getattr(item, "restriction", None) if self._confidential else None
        if restriction is not None:
            meta["security"] = [dict(_RESTRICTIONS[restriction])]
        return meta


RECORDED: Final = Ext("recorded", ext.RECORDED, {"DateTime": DATE_TIME})


def clinical(
    resource_type: str,
    model: type[Item],
    *fields: Field,
    subject: Field | None = None,
    encounter: Field | None = None,
    based_on: Field | None = None,
    author: Field | None = None,
    service: Field | None = None,
    note: Field | Ext | None = None,
    recorded: Field | None = None,
    identifier: Field | None = None,
    extensions: Sequence[Ext] = (),
    defaults: Mapping[str, Any] | None = None,
    kind: type[Resource] = Resource,
) -> Resource:
    """The table of a clinical item: what each has in common, each in R4's element where the type has one.

    Whatever is not given stands in our extension.
    """
    shared: list[Field] = [identifier or Many("identifiers", "identifier", IDENTIFIER)]
    spare: list[Ext] = []
    for native, fallback in (
        (subject or One("subject", "subject", REFERENCE, required=True), None),
        (encounter, Ext("encounter", ext.ENCOUNTER, {"Reference": REFERENCE})),
        (based_on, Ext("based_on", ext.BASED_ON, {"Reference": REFERENCE}, many=True)),
        (author, Ext("author", ext.AUTHOR, {"Reference": ACTOR})),
        (service, Ext("service", ext.SERVICE, {"CodeableConcept": CONCEPT})),
        (note, Ext("note", ext.NOTE, {"Annotation": NOTE}, many=True)),
        (recorded, RECORDED),
    ):
        if isinstance(native, Ext):
            spare.append(native)
        elif native is not None:
            shared.append(native)
        elif fallback is not None:
            spare.append(fallback)
    return kind(resource_type, model, [*shared, *fields], extensions=[*extensions, *spare], defaults=defaults)
