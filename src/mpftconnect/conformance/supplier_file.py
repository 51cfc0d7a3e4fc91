"""Reads supplier.toml: every mistake at once, each with file, key and what is expected (rule 19)."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mpftconnect.adapters import Endpoint
from mpftconnect.conformance.document_text import text_of
from mpftconnect.conformance.evidence import EvidenceFile, Subject, TestPerson
from mpftconnect.conformance.mllp_lines import MllpTable, lines_from
from mpftconnect.conformance.supplier import Authorisation, AuthSettings, ExceptionRequest, Response, Supplier
from mpftconnect.errors import ConfigurationError, NotAnNhsNumber, UsageError
from mpftconnect.model import nhs_number

__all__ = ["FORMAT_VERSION", "read_supplier", "supplier_from"]

FORMAT_VERSION = 1

_MOST_FILE = 100_000_000
_MOST_SIGNATURE = 1_000_000


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Secret(_Table):
    env: str | None = None
    file: str | None = None
    value: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one(self) -> _Secret:
        if sum(part is not None for part in (self.env, self.file, self.value)) != 1:
            raise ValueError('expected { env = "NAME" } or { file = "path" }')
        return self


class _Product(_Table):
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    supplier: str = Field(min_length=1)
    companies_house: str | None = Field(default=None, pattern=r"^[A-Z0-9]{8}$")
    ods: str | None = Field(default=None, pattern=r"^[A-Z0-9]{3,10}$")
    offers: tuple[str, ...] | None = None
    actors: tuple[Literal["server", "consumer", "sender", "receiver"], ...] = ()


class _Auth(_Table):
    kind: Literal["none", "bearer", "client-credentials", "signed-jwt"] = "none"
    token_url: str | None = None
    key_id: str | None = None


class _Target(_Table):
    environment: Literal["test", "live"] = "live"
    adapter: str = "fhir-r4"
    base_url: str = ""
    package: str = ""
    allow_writes: bool = False
    deadline_seconds: float = Field(default=10.0, gt=0, le=120)
    connect_timeout: float = Field(default=3.05, gt=0, le=60)
    max_bytes: int = Field(default=20_000_000, gt=0)
    retries: int = Field(default=1, ge=0, le=10)
    rate_per_second: float | None = Field(default=None, gt=0)
    proxy: str | None = Field(default=None, repr=False)
    ca_bundle: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    auth: _Auth = _Auth()
    secrets: dict[str, _Secret] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    package_path: tuple[str, ...] = ()


_Day = date


class _AuthorisedBy(_Table):
    name: str = Field(min_length=1)
    organisation: str = Field(min_length=1)
    date: _Day
    scope: str = Field(min_length=1)


class _Person(_Table):
    nhs_number: str = ""
    local_id: str = ""
    entered: _Day | None = None
    holds: tuple[str, ...] = ()

    @field_validator("nhs_number")
    @classmethod
    def _valid(cls, value: str) -> str:
        try:
            return nhs_number(value) if value else ""
        except NotAnNhsNumber as error:
            raise ValueError(str(error)) from None


class _Evidence(_Table):
    kind: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    file: str
    issued: _Day | None = None
    expires: _Day | None = None
    stated: dict[str, Any] = Field(default_factory=dict)


class _Exception(_Table):
    requirement: str
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: _Day
    hazard: str = Field(min_length=1)


class _Response(_Table):
    requirement: str
    text: str = Field(min_length=1)
    by: str = Field(min_length=1)
    date: _Day


class _File(_Table):
    version: int
    product: _Product
    target: _Target
    mllp: MllpTable | None = None
    authorised_by: _AuthorisedBy
    people: dict[str, _Person] = Field(default_factory=dict)
    evidence: tuple[_Evidence, ...] = ()
    answers: dict[str, Any] = Field(default_factory=dict)
    exception: tuple[_Exception, ...] = ()
    response: tuple[_Response, ...] = ()


def read_supplier(path: Path) -> Supplier:
    """The supplier that a file describes.

    Raises:
        ConfigurationError: Every mistake, at once; no message repeats a value.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path.name}: cannot be read ({type(error).__name__})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"\(at line \d+, column \d+\)", str(error))
        raise ConfigurationError([f"{path.name}: is not TOML {where.group() if where else ''}".rstrip()]) from None
    return supplier_from(table, name=path.name, folder=path.parent)


def supplier_from(
    table: Mapping[str, Any], *, name: str = "supplier.toml", folder: Path = Path(), twin: str = ""
) -> Supplier:
    """The supplier that a table describes.

    Args:
        twin: The name of the twin that it is: then secrets may be plain values, which the twin made up for this run.
    Raises:
        ConfigurationError: As `read_supplier`.
    """
    problems: list[str] = []
    if table.get("version") != FORMAT_VERSION:
        problems.append(f"{name}: version: expected {FORMAT_VERSION}")
    problems += _missing(table, name)
    try:
        file = _File.model_validate({**table, "version": FORMAT_VERSION})
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            at = ".".join(str(part) for part in fault["loc"])
            problems.append(f"{name}: {at}: {fault['msg'].removeprefix('Value error, ')}")
        raise ConfigurationError(problems) from None
    secrets = {
        key: _secret(reference, f"{name}: target.secrets.{key}", folder, bool(twin), problems)
        for key, reference in file.target.secrets.items()
    }
    endpoint = _endpoint(file.target, name, folder, problems)
    lines = lines_from(file.mllp, file.target.environment, name=name, folder=folder, problems=problems)
    files, paths = _files(file.evidence, name, folder, problems)
    for index, place in enumerate(file.target.package_path):
        if not (folder / place).is_dir():
            problems.append(f"{name}: target.package_path.{index}: is not a folder")
    if problems:
        raise ConfigurationError(problems)
    code = f"ods:{file.product.ods}" if file.product.ods else f"companies-house:{file.product.companies_house}"
    return Supplier(
        subject=Subject(
            product=file.product.name,
            version=file.product.version,
            entity=file.product.supplier,
            entity_code=code,
            environment=file.target.environment,
            host=urlsplit(file.target.base_url).netloc if endpoint else "",
            adapter=file.target.adapter,
            package=file.target.package,
            offers=file.product.offers,
            actors=tuple(file.product.actors),
            allow_writes=file.target.allow_writes,
            twin=twin,
            settings={name: value for name, value in file.target.settings.items() if isinstance(value, str)},
        ),
        endpoint=endpoint,
        auth=AuthSettings(
            kind=file.target.auth.kind,
            token_url=file.target.auth.token_url,
            key_id=file.target.auth.key_id,
            secrets=secrets,
        ),
        authorised_by=Authorisation(
            name=file.authorised_by.name,
            organisation=file.authorised_by.organisation,
            date=file.authorised_by.date.isoformat(),
            scope=file.authorised_by.scope,
        ),
        people={
            role: TestPerson(
                role=role,
                nhs_number=person.nhs_number,
                local_id=person.local_id,
                entered=person.entered.isoformat() if person.entered else "",
                holds=person.holds,
            )
            for role, person in file.people.items()
        },
        files=files,
        paths=paths,
        answers=file.answers,
        settings=file.target.settings,
        exceptions=tuple(
            ExceptionRequest(**{**each.model_dump(), "expires": each.expires.isoformat()}) for each in file.exception
        ),
        responses=tuple(Response(**{**each.model_dump(), "date": each.date.isoformat()}) for each in file.response),
        package_path=tuple(folder / each for each in file.target.package_path),
        folder=folder,
        mllp=lines,
    )


def _missing(table: Mapping[str, Any], name: str) -> list[str]:
    """What only several keys together show; asked of the table itself, so that it is said beside all other mistakes."""
    found = []
    product, people = table.get("product"), table.get("people")
    if isinstance(product, Mapping) and not (product.get("companies_house") or product.get("ods")):
        found.append(f"{name}: product: expected companies_house or ods: which legal entity answers for the product")
    for role, person in people.items() if isinstance(people, Mapping) else ():
        if isinstance(person, Mapping) and not (person.get("nhs_number") or person.get("local_id")):
            found.append(f"{name}: people.{role}: expected nhs_number or local_id")
    return found


def _secret(reference: _Secret, at: str, folder: Path, plain: bool, problems: list[str]) -> str:
    if reference.value is not None:
        if not plain:
            problems.append(f'{at}: a secret may not stand in the file: use {{ env = "NAME" }} or {{ file = "path" }}')
        return reference.value
    if reference.env is not None:
        value = os.environ.get(reference.env, "").strip()
        if not value:
            problems.append(f"{at}: the environment variable {reference.env} is not set, or empty")
        return value
    try:
        value = (folder / str(reference.file)).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        problems.append(f"{at}: the file {reference.file} cannot be read ({type(error).__name__})")
        return ""
    if not value:
        problems.append(f"{at}: the file {reference.file} is empty")
    return value


def _endpoint(target: _Target, name: str, folder: Path, problems: list[str]) -> Endpoint | None:
    if not target.base_url:
        return None

    def place(path: str | None) -> str | None:
        return None if path is None else str(folder / path)

    try:
        return Endpoint(
            base_url=target.base_url,
            environment=target.environment,
            connect_timeout=target.connect_timeout,
            deadline_seconds=target.deadline_seconds,
            max_bytes=target.max_bytes,
            retries=target.retries,
            rate_per_second=target.rate_per_second,
            proxy=target.proxy,
            ca_bundle=place(target.ca_bundle),
            client_certificate=place(target.client_certificate),
            client_key=place(target.client_key),
            headers=target.headers,
        )
    except UsageError as error:
        problems.append(f"{name}: target.{error}")
        return None


def _beside(path: Path) -> str:
    """The envelope of a signature beside a document; empty if there is none that can be read."""
    try:
        with path.with_name(f"{path.name}.dsse.json").open("rb") as file:
            return file.read(_MOST_SIGNATURE).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _files(
    rows: tuple[_Evidence, ...], name: str, folder: Path, problems: list[str]
) -> tuple[dict[str, tuple[EvidenceFile, ...]], dict[str, Path]]:
    found: dict[str, tuple[EvidenceFile, ...]] = {}
    paths: dict[str, Path] = {}
    for index, row in enumerate(rows):
        path = folder / row.file
        try:
            if path.stat().st_size > _MOST_FILE:
                problems.append(f"{name}: evidence.{index}.file: is larger than {_MOST_FILE // 1_000_000} MB")
                continue
            data = path.read_bytes()
        except OSError as error:
            problems.append(f"{name}: evidence.{index}.file: {row.file} cannot be read ({type(error).__name__})")
            continue
        made = EvidenceFile(
            kind=row.kind,
            name=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            issued=row.issued.isoformat() if row.issued else "",
            expires=row.expires.isoformat() if row.expires else "",
            text=text_of(path.name, data),
            stated=row.stated,
            signature=_beside(path),
        )
        found[row.kind] = (*found.get(row.kind, ()), made)
        paths[made.name] = path
    return found, paths
