"""Settings of both adapters: `[systems.<name>.settings]` of a configuration. No secret is ever a setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mpftconnect.model import Model
from mpftconnect_rio.dates import DateFormat, date_format
from mpftconnect_rio.layout import LAYOUTS, LINE_TYPES

__all__ = ["CLIENT_ID_SYSTEM", "ExtractSettings", "ExtractsSettings", "RioExtractSettings", "RioFhirSettings"]

# Assumed: RiO publishes no identifier system of its own. Trusts number clients apart, so a configuration that reads
# two RiO systems gives each its own.
CLIENT_ID_SYSTEM = "https://mpftconnect.example/Id/rio-client-id"


def _formats(texts: tuple[str, ...]) -> tuple[str, ...]:
    formats = [date_format(text) for text in texts]
    if len({form.order for form in formats}) != len(formats):
        raise ValueError("two formats could read the same text, day first and month first: choose one")
    if not formats:
        raise ValueError("at least one date format is needed")
    return texts


def _delimiter(text: str) -> str:
    if len(text) != 1 or text in '"\\\r\n ' or text.isalnum():
        raise ValueError(
            'one character that is no letter, digit, space, quotation mark or backslash, such as "," or "|"'
        )
    return text


DateFormats = Annotated[tuple[str, ...], AfterValidator(_formats)]


class ExtractSettings(Model):
    """One report extract: where it is, how it is written, and what its columns are called.

    Args:
        path: A local file; or
        url: the extract's path below the system's endpoint.
        encoding: `utf-8` (a byte order mark is allowed), `cp1252` or `utf-16`.
        delimiter: One character.
        quoting: How a quotation mark stands inside a quoted cell: `doubled` (RFC 4180, section 2.7) or `backslash`.
        date_formats: Formats of dates and times, tried in order; see `mpftconnect_rio.dates`.
        columns: Headings that differ from the defaults, by field; `""` for a column that the report has not.
        values: The report's words for coded fields and what they mean, by field; added to the defaults.
        trailer: The first cell of a closing row whose second cell is the number of rows; empty if there is none.
        maximum_age_hours: From when on readers are told that the extract is old; None to say nothing.
        minimum_rows: Fewer rows than this mean that the report went wrong, not that there is nothing to tell.
    """

    path: str | None = None
    url: str | None = None
    encoding: Literal["utf-8", "cp1252", "utf-16"] = "utf-8"
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    quoting: Literal["doubled", "backslash"] = "doubled"
    date_formats: DateFormats = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y")
    columns: Mapping[str, str] = Field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    trailer: str = ""
    maximum_age_hours: float | None = Field(default=36.0, gt=0)
    minimum_rows: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_place(self) -> ExtractSettings:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path (a local file) or url (below the endpoint)")
        return self

    @property
    def formats(self) -> tuple[DateFormat, ...]:
        return tuple(date_format(text) for text in self.date_formats)

    def headings(self, name: str) -> dict[str, str]:
        """Heading by field for the extract of that name, without fields that have no column."""
        return {field: heading for field, heading in {**LAYOUTS[name].columns, **self.columns}.items() if heading}

    def meanings(self, name: str, field: str) -> dict[str, str]:
        """The report's words for a coded field, in small letters, with what they mean."""
        given = {word.strip().lower(): meaning for word, meaning in self.values.get(field, {}).items()}
        return {**LAYOUTS[name].values.get(field, {}), **given}

    def mistakes(self, name: str) -> Iterator[str]:
        """What is wrong with `columns` and `values` for the extract of that name."""
        layout = LAYOUTS[name]
        fields = ", ".join(layout.columns)
        for field in self.columns:
            if field not in layout.columns:
                yield f"{name}.columns.{field}: no such field; fields are {fields}"
        for field in self.values:
            if field not in layout.columns:
                yield f"{name}.values.{field}: no such field; fields are {fields}"
        headings = self.headings(name)
        for field in (layout.key, *layout.required):
            if field not in headings:
                yield f"{name}.columns.{field}: this column is needed and cannot be switched off"
        if "nhs_number" not in headings and "client_id" not in headings:
            yield f"{name}.columns: a row must say whose it is, by nhs_number or client_id"
        seen: dict[str, str] = {}
        for field, heading in headings.items():
            other = seen.setdefault(heading.strip().lower(), field)
            if other != field:
                yield f"{name}.columns.{field}: the same heading as {other}"


class ExtractsSettings(Model):
    """The extracts that this RiO produces. What is not configured is said to be missing, never taken as empty."""

    client_index: ExtractSettings
    caseload: ExtractSettings | None = None
    contacts: ExtractSettings | None = None
    progress_notes: ExtractSettings | None = None
    care_plans: ExtractSettings | None = None
    alerts: ExtractSettings | None = None
    appointments: ExtractSettings | None = None

    def of(self, name: str) -> ExtractSettings | None:
        """The settings of the extract of that name."""
        found: ExtractSettings | None = getattr(self, name)
        return found

    @model_validator(mode="after")
    def _fields_exist(self) -> ExtractsSettings:
        found = [(name, self.of(name)) for name in LAYOUTS]
        mistakes = [line for name, extract in found if extract for line in extract.mistakes(name)]
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self


class RioExtractSettings(Model):
    """Settings of `rio-extract`.

    Args:
        organisation: ODS code of the trust whose RiO it is.
        extracts: Where and how each report is written.
        client_id_system: Namespace of this RiO's client ids.
        caseload_by: What an open referral must have in common with the user: `organisation`, `team` or `staff`.
        teams: For `team`: the users (ids or practitioner ids) of each team code.
        teams_not_counted: Codes of teams whose referrals never verify a relationship: services whose very existence
            in a record must not be hinted at.
        line_types: What the care plan report calls its kinds of line; added to the defaults.
        user: User name for extracts fetched over HTTP; its password is the secret `password`.
        bearer: Whether extracts are fetched over HTTP with the secret `token`.
    """

    organisation: str
    extracts: ExtractsSettings
    client_id_system: str = CLIENT_ID_SYSTEM
    caseload_by: Literal["organisation", "team", "staff"] = "organisation"
    teams: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    teams_not_counted: tuple[str, ...] = ()
    line_types: Mapping[str, str] = Field(default_factory=dict)
    user: str | None = None
    bearer: bool = False

    @model_validator(mode="after")
    def _line_types_exist(self) -> RioExtractSettings:
        known = sorted(set(LINE_TYPES.values()))
        unknown = sorted(set(self.line_types.values()) - set(known))
        if unknown:
            raise ValueError(f"line_types: no such kind of line: {', '.join(unknown)}; kinds are {', '.join(known)}")
        if self.caseload_by == "team" and not self.teams:
            raise ValueError('teams: caseload_by = "team" needs the users of each team')
        return self

    def line_kind(self, word: str) -> str | None:
        """Where a line of that type goes; None if nobody has said."""
        given = {key.strip().lower(): kind for key, kind in self.line_types.items()}
        return {**LINE_TYPES, **given}.get(word.strip().lower())


class RioFhirSettings(Model):
    """Settings of `rio-fhir`.

    Args:
        organisation: ODS code of the trust whose RiO it is.
        auth: `bearer` (secret `token`), `signed-jwt` (secrets `api_key` and `private_key`) or `none`.
        token_url: For `signed-jwt`.
        key_id: For `signed-jwt`.
        page_size: `_count` of every search; the server's own choice if None.
        caseload_by: What an active episode of care must have in common with the user: `organisation` or `staff`.
        teams_not_counted: Codes of `EpisodeOfCare.type` whose episodes never verify a relationship: services whose
            very existence in a record must not be hinted at.
    """

    organisation: str
    auth: Literal["bearer", "signed-jwt", "none"] = "bearer"
    token_url: str | None = None
    key_id: str | None = None
    page_size: int | None = Field(default=100, ge=1, le=1000)
    caseload_by: Literal["organisation", "staff"] = "organisation"
    teams_not_counted: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _jwt_needs(self) -> RioFhirSettings:
        if self.auth == "signed-jwt" and not (self.token_url and self.key_id):
            raise ValueError('auth = "signed-jwt" needs token_url and key_id')
        return self
