"""One ElementDefinition, of R4 or STU3, read into what the tree holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.validation.compile.element import (
    Binding,
    Constraint,
    Discriminator,
    Element,
    Slicing,
    TypeRef,
    first_value,
)
from mpftconnect.validation.lists import listed

__all__ = ["apply_facets", "read_types"]

EXT = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE = EXT + "structuredefinition-fhir-type"
_MAX_VALUE_SET = EXT + "elementdefinition-maxValueSet"
_PROFILE_ELEMENT = EXT + "elementdefinition-profile-element"
_BEST_PRACTICE = EXT + "elementdefinition-bestpractice"
_KEPT = {
    EXT + "regex": "regex",
    EXT + "structuredefinition-xml-type": "xml_type",
    "http://hl7.org/fhir/StructureDefinition/minLength": "min_length",
    EXT + "elementdefinition-minLength": "min_length",
    EXT + "elementdefinition-pattern": "pattern_extension",
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.mustHaveValue": "must_have_value",
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.valueAlternatives": "value_alternatives",
}


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def _extension(source: Mapping[str, Any], url: str) -> Any:
    for extension in listed(source.get("extension")):
        if isinstance(extension, Mapping) and extension.get("url") == url:
            found = first_value(extension, "value")
            return found[1] if found else None
    return None


def _profiles(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Profiles of a type; one that means an element inside another profile has that element's id after `#`."""
    profiles = _strings(entry.get("profile"))
    beside = entry.get("_profile")
    if isinstance(beside, Mapping):
        beside = [beside]
    if not isinstance(beside, list):
        return profiles
    found = []
    for index, profile in enumerate(profiles):
        extra = beside[index] if index < len(beside) else None
        inner = _extension(extra, _PROFILE_ELEMENT) if isinstance(extra, Mapping) else None
        found.append(f"{profile}#{inner}" if isinstance(inner, str) else profile)
    return tuple(found)


def read_types(types: Any) -> tuple[TypeRef, ...]:
    """The types of an element. STU3 repeats a type for each target; they are gathered here."""
    gathered: dict[str, TypeRef] = {}
    for entry in types if isinstance(types, list) else ():
        if not isinstance(entry, Mapping):
            continue
        code = entry.get("code")
        real = _extension(entry, _FHIR_TYPE)
        if isinstance(real, str):
            code = real
        if not isinstance(code, str):
            # STU3 leaves the code of a primitive's value out, and says it in an extension of `_code`.
            hidden = entry.get("_code")
            name = _extension(hidden, EXT + "structuredefinition-json-type") if isinstance(hidden, Mapping) else None
            code = name if isinstance(name, str) else "string"
        code = code.removeprefix("http://hl7.org/fhirpath/System.")
        if code == "String":
            code = "string"
        read = TypeRef(
            code=code,
            profiles=_profiles(entry),
            targets=_strings(entry.get("targetProfile")),
            aggregation=_strings(entry.get("aggregation")),
            versioning=entry.get("versioning") if isinstance(entry.get("versioning"), str) else None,
        )
        known = gathered.get(code)
        if known is not None:
            read = TypeRef(
                code,
                tuple(dict.fromkeys(known.profiles + read.profiles)),
                # A reference without targets beside one with targets may point anywhere.
                tuple(dict.fromkeys(known.targets + read.targets)) if known.targets and read.targets else (),
                tuple(dict.fromkeys(known.aggregation + read.aggregation)),
                read.versioning or known.versioning,
            )
        gathered[code] = read
    return tuple(gathered.values())


def _binding(source: Mapping[str, Any], origin: str) -> Binding:
    value_set = source.get("valueSet", source.get("valueSetUri"))
    if value_set is None and isinstance(source.get("valueSetReference"), Mapping):
        value_set = source["valueSetReference"].get("reference")
    most = _extension(source, _MAX_VALUE_SET)
    if isinstance(most, Mapping):
        most = most.get("reference")
    if isinstance(value_set, str) and value_set.startswith("#"):
        value_set = origin + value_set  # contained in the profile
    return Binding(
        str(source.get("strength", "example")),
        value_set if isinstance(value_set, str) else None,
        most if isinstance(most, str) else None,
    )


def _slicing(source: Mapping[str, Any]) -> Slicing:
    found = []
    for discriminator in listed(source.get("discriminator")):
        if isinstance(discriminator, Mapping):
            found.append(
                Discriminator(str(discriminator.get("type", "value")), str(discriminator.get("path", "$this")))
            )
        elif isinstance(discriminator, str):  # DSTU2 style, seen in old files
            found.append(Discriminator("value", discriminator))
    return Slicing(tuple(found), str(source.get("rules", "open")), source.get("ordered") is True)


def apply_facets(element: Element, source: Mapping[str, Any], origin: str, *, snapshot: bool) -> None:
    """Lay what an ElementDefinition says over an element.

    In a differential only what is stated changes. Constraints add up; a binding, fixed value or list of types
    replaces what stood there. `snapshot` says that the row is complete in itself.
    """
    element.origin = origin
    if isinstance(source.get("min"), int):
        element.min = source["min"]
    most = source.get("max")
    if isinstance(most, str):
        element.max = None if most == "*" else int(most) if most.isdigit() else element.max
    if "type" in source:
        element.types = _narrowed(element, read_types(source["type"])) if not snapshot else read_types(source["type"])
    if isinstance(source.get("contentReference"), str):
        element.content_reference = source["contentReference"]
    for name, prefix in (
        ("fixed", "fixed"),
        ("pattern", "pattern"),
        ("min_value", "minValue"),
        ("max_value", "maxValue"),
    ):
        found = first_value(source, prefix)
        if found is not None:
            setattr(element, name, found)
    if isinstance(source.get("maxLength"), int):
        element.max_length = source["maxLength"]
    if isinstance(source.get("binding"), Mapping):
        binding = _binding(source["binding"], origin)
        old = element.binding
        if old is not None:
            # Stated in part (a strength alone, say): the rest stays.
            binding = Binding(
                binding.strength, binding.value_set or old.value_set, binding.max_value_set or old.max_value_set
            )
        element.binding = binding
    for constraint in listed(source.get("constraint")):
        if isinstance(constraint, Mapping) and isinstance(constraint.get("key"), str):
            expression = constraint.get("expression")
            element.constraints[constraint["key"]] = Constraint(
                constraint["key"],
                str(constraint.get("severity", "error")),
                expression if isinstance(expression, str) else None,
                str(constraint.get("human", "")),
                constraint.get("source") if isinstance(constraint.get("source"), str) else origin,
                _extension(constraint, _BEST_PRACTICE) is True,
            )
    if "isModifier" in source:
        element.is_modifier = source["isModifier"] is True
    if "mustSupport" in source:
        element.must_support = source["mustSupport"] is True
    if source.get("mustHaveValue") is True:
        element.must_have_value = True
    if "xmlAttr" in listed(source.get("representation")):
        element.xml_attribute = True
    if isinstance(source.get("slicing"), Mapping):
        element.slicing = _slicing(source["slicing"])
    _read_extensions(element, source)


def _read_extensions(element: Element, source: Mapping[str, Any]) -> None:
    for extension in listed(source.get("extension")):
        if not isinstance(extension, Mapping):
            continue
        name = _KEPT.get(str(extension.get("url")))
        found = first_value(extension, "value")
        if name == "min_length" and found and isinstance(found[1], int):
            element.min_length = found[1]
        elif name == "must_have_value" and found:
            element.must_have_value = found[1] is True
        elif name and found:
            element.extensions[name] = found[1]
        else:
            url = extension.get("url")
            if isinstance(url, str) and found:
                element.extensions.setdefault(url, []).append(found[1])
    for entry in listed(source.get("type")):
        regex = _extension(entry, EXT + "regex") if isinstance(entry, Mapping) else None
        if isinstance(regex, str):
            element.extensions["regex"] = regex


def _narrowed(element: Element, stated: tuple[TypeRef, ...]) -> tuple[TypeRef, ...]:
    """A differential's types. One without code details of its own keeps the targets that stood there."""
    old = {ref.code: ref for ref in element.types}
    result = []
    for ref in stated:
        known = old.get(ref.code)
        if known is not None and not ref.targets and ref.code in ("Reference", "canonical") and not ref.profiles:
            ref = TypeRef(
                ref.code,
                ref.profiles or known.profiles,
                known.targets,
                ref.aggregation or known.aggregation,
                ref.versioning or known.versioning,
            )
        result.append(ref)
    return tuple(result)
