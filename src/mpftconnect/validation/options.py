"""The policies in which validators legitimately differ, each with its default."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mpftconnect.errors import ConfigurationError

__all__ = ["WITHOUT_EFFECT", "Options"]

# Options that the reference's case rows carry and that change no verdict here, each with why.
WITHOUT_EFFECT = {
    "fetcher": "what is loaded is always found, and nothing is ever fetched",
    "generate_shapshot": "a profile without a snapshot is always unfolded",
    "matchetype": "outputs are not compared with patterns",
    "new_xver_mode": "cross-version extensions are judged by built-in tables of the versions",
    "scoring": "nothing is scored",
    "supporting5": "give further definitions as resources",
}

# What an option may say, where it is one of a few words; in any case, kept as here. Another word would mean nothing,
# and what means nothing must not pass for a policy.
_WORDS: dict[str, tuple[str, ...]] = {
    "best_practice": ("ignore", "hint", "warning", "error"),
    "check_display": ("error", "warning", "ignore"),
    "r5_bundle_relative_reference_policy": ("never", "always"),
    "unknown_profile": ("not-checked", "warning", "error"),
    "validate_contains": ("CHECK_VALID", "IGNORE"),
    "validate_reference": ("CHECK_VALID", "CHECK_EXISTS", "CHECK_EXISTS_AND_TYPE", "CHECK_TYPE_IF_EXISTS", "IGNORE"),
}
_MANY = ("allowed_extension_domain", "supporting5")

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Policies; the defaults are those of the reference validator.

    Attributes:
        allow_comments: JSON may hold comments.
        allowed_extension_domain: Unknown extensions under this address are allowed (`any`: all).
        assume_valid_rest_references: A reference that looks like a REST address is held to lead to that type.
        best_practice: How a broken best-practice invariant counts: `ignore`, `hint`, `warning` or `error`.
        bundle_param: `{"rule": "Patient:0", "profile": url}`: an entry of a Bundle must fit a profile.
        certificate: The key of a Bundle's signature. Signatures are not verified: one that should be is not checked.
        check_display: A display that the code system does not give is an `error`, `warning` or ignored.
        crumb_trail: Say which profiles were applied to each resource, and why.
        enforce_aggregation_outside_bundles: `aggregation` binds outside Bundles too.
        examples: Example addresses (`example.org`) are allowed.
        fetcher: None on the verdict: what is loaded is always found, and nothing is ever fetched.
        for_publication: Apply the rules for published conformance resources.
        generate_shapshot: None on the verdict: a profile without a snapshot is always unfolded. So spelt in case rows.
        language: The language whose displays are expected.
        new_xver_mode: None on the verdict: it chooses where the reference takes cross-version extensions from.
        no_experimental_content: Experimental definitions are an error.
        no_html_in_markdown: HTML tags in markdown are an error.
        matchetype: None on the verdict: it compares outputs with a pattern, and the pattern is not validated by it.
        must_support: Say which must-support elements of a profile are absent.
        no_invariants: Leave invariants out; they then stand in `not_checked`.
        r5_bundle_relative_reference_policy: `never`, `always`: how a relative reference in a Bundle resolves.
        scoring: None on the verdict: it counts how many must-support elements are there.
        security_checks: Text that looks like HTML is an error.
        show_values: Messages may repeat values of the resource (patient data).
        supporting5: None on the verdict: files of definitions are given as `resources`, those in R5's form too.
        unknown_profile: How an unknown `meta.profile` counts: `not-checked`, `warning` or `error`.
        validate_contains: `CHECK_VALID` or `IGNORE`: contained resources are validated.
        validate_reference: False, True, `CHECK_EXISTS`, `CHECK_EXISTS_AND_TYPE`, `CHECK_TYPE_IF_EXISTS`,
            `CHECK_VALID`: how far references are followed.
    Raises:
        ConfigurationError: A policy is not one of its words.
    """

    allow_comments: bool = False
    allowed_extension_domain: str | tuple[str, ...] = ()
    assume_valid_rest_references: bool = False
    best_practice: str = "warning"
    bundle_param: Mapping[str, str] | None = None
    certificate: str | None = None
    check_display: str = "error"
    crumb_trail: bool = False
    enforce_aggregation_outside_bundles: bool = True
    examples: bool = True
    fetcher: str | None = None
    for_publication: bool = False
    generate_shapshot: bool = False
    language: str = "en"
    new_xver_mode: bool = False
    no_experimental_content: bool = False
    no_html_in_markdown: bool = False
    matchetype: Any = None
    must_support: bool = False
    no_invariants: bool = False
    r5_bundle_relative_reference_policy: str | None = None
    scoring: Any = None
    security_checks: bool = False
    show_values: bool = False
    supporting5: tuple[str, ...] = ()
    unknown_profile: str = "not-checked"
    validate_contains: str | None = None
    validate_reference: bool | str = False

    def __post_init__(self) -> None:
        problems = []
        for name, words in _WORDS.items():
            value = getattr(self, name)
            if value is None or isinstance(value, bool):
                continue
            known = {word.lower(): word for word in words}
            if not isinstance(value, str) or value.lower() not in known:
                choices = ", ".join((*(("true", "false") if name == "validate_reference" else ()), *words))
                problems.append(f"option {name}: expected one of {choices}")
            else:
                object.__setattr__(self, name, known[value.lower()])
        if self.bundle_param is not None and not _is_bundle_param(self.bundle_param):
            problems.append('option bundle_param: expected {"rule": "Patient:0", "profile": "https://..."}')
        if problems:
            raise ConfigurationError(problems)

    @classmethod
    def from_mapping(cls, source: Mapping[str, Any]) -> Options:
        """Options from words as configuration, case rows and the command line write them (`validateReference`,
        `for-publication`; true, false and objects as text).

        Raises:
            ConfigurationError: Every name or value that is not one, at once.

        >>> Options.from_mapping({"noHtmlInMarkdown": "true"}).no_html_in_markdown
        True
        """
        fields = {field.name: str(field.type) for field in dataclasses.fields(cls)}
        taken: dict[str, Any] = {}
        problems = []
        for key, value in source.items():
            name = _CAMEL.sub("_", key).lower().replace("-", "_")
            if name not in fields:
                close = difflib.get_close_matches(name, fields, n=1)
                hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(fields)}"
                problems.append(f"option {key}: there is no such option{hint}")
                continue
            if name in taken or (isinstance(value, list) and name not in _MANY and fields[name] != "Any"):
                problems.append(f"option {key}: is given more than once")
                continue
            taken[name] = value = _read(name, fields[name], value)
            if fields[name] == "bool" and not isinstance(value, bool):
                problems.append(f"option {key}: expected true or false")
                del taken[name]
        try:
            made = cls(**taken)
        except ConfigurationError as error:
            raise ConfigurationError([*problems, *error.problems]) from None
        if problems:
            raise ConfigurationError(problems)
        return made

    def without_effect(self) -> list[str]:
        """What was asked for and changes nothing here, each with why.

        >>> Options(scoring=True).without_effect()
        ['scoring: nothing is scored']
        """
        return [f"{name}: {why}" for name, why in WITHOUT_EFFECT.items() if getattr(self, name)]

    @property
    def usual(self) -> bool:
        """Whether texts are held to no more than FHIR demands, and invariants are evaluated."""
        return self.examples and not (self.security_checks or self.no_html_in_markdown or self.no_invariants)

    @property
    def reference_level(self) -> str:
        """How far references are followed, as one word: `none`, `type`, `exists` or `valid`."""
        value = self.validate_reference
        if value is True:
            return "exists"
        if not value:
            return "none"
        return {
            "CHECK_VALID": "valid",
            "CHECK_EXISTS": "exists",
            "CHECK_EXISTS_AND_TYPE": "exists",
            "CHECK_TYPE_IF_EXISTS": "type",
        }.get(str(value).upper(), "none")


def _read(name: str, kind: str, value: Any) -> Any:
    """A value that may be text, as the option's type has it; what cannot be read is left as it is."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str):
        return value
    if kind.startswith("bool") and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if name == "supporting5":
        return (value,)
    if name == "bundle_param":
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def _is_bundle_param(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {"rule", "profile"}
        and all(isinstance(text, str) for text in value.values())
        and re.fullmatch(r"([A-Za-z]+:)?[0-9]{1,9}", value["rule"]) is not None
    )
