"""The locator's own settings, checked when the configuration is read."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mpftconnect.model import SNOMED, Coding, Model
from mpftconnect_nrl.pointer_types import TYPES

__all__ = ["Code", "NrlSettings", "PublishSettings", "SspSettings"]

# producer.yaml: "A single ASID consisting of 12 digits".
_ASID = re.compile(r"[0-9]{12}", re.ASCII)
# RFC 6838, section 4.2: names of media types.
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}", re.ASCII)
_HOST = re.compile(r"\.?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?", re.ASCII)


def _asid(text: str) -> str:
    if not _ASID.fullmatch(text):
        raise ValueError("expected an ASID of 12 digits")
    return text


def _media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("expected a media type, such as application/pdf")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("expected a host name, with :port if it is not the usual one")
    return text.lower()


def _known_type(code: str) -> str:
    if code not in TYPES:
        raise ValueError("expected the SNOMED CT code of a type that the locator points at")
    return code


Asid = Annotated[str, AfterValidator(_asid)]
Host = Annotated[str, AfterValidator(_host)]


class Code(Model):
    """A SNOMED CT code with its display."""

    code: str
    display: str

    def coding(self) -> Coding:
        return Coding(system=SNOMED, code=self.code, display=self.display)


class SspSettings(Model):
    """How documents are fetched through the Spine Secure Proxy.

    Args:
        url: Of the proxy. The client certificate of the system goes to it, and to nobody else.
        asid: Ours, of the organisation for which users ask.
        issuer: What our access tokens name as their issuer.
        hosts: Where a pointer may lead through the proxy: a host, or `.suffix` for all below it.
    """

    url: str
    asid: Asid
    issuer: str
    hosts: tuple[Host, ...] = (".nhs.uk",)


class PublishSettings(Model):
    """What our own pointers say, beside what the plan says.

    Args:
        document_url: Where a plan can be had: `https://` or `ssp://`, with `{reference}` for the name under which the
            plan is published. Never with anything of a person, never with the proxy's address, not percent-encoded.
        content_type: Media type of the documents.
        stability: `static`: the document stays as it is, so that a changed plan needs a new pointer.
        practice_setting: Where plans are made, if they do not say so by a SNOMED CT code.
        asid: Of our system that gives the documents, if through the Spine Secure Proxy.
    """

    document_url: str
    content_type: Annotated[str, AfterValidator(_media_type)] = "application/pdf"
    stability: Literal["static", "dynamic"] = "static"
    practice_setting: Code | None = None
    asid: Asid | None = None

    @model_validator(mode="after")
    def _can_be_followed(self) -> PublishSettings:
        scheme = urlsplit(self.document_url).scheme
        if scheme not in ("https", "ssp") or self.document_url.count("{reference}") != 1:
            raise ValueError("document_url: expected https:// or ssp://, with {reference} once")
        if "%" in self.document_url or re.search(r"\s", self.document_url):
            raise ValueError("document_url: it may be neither percent-encoded nor hold spaces")
        if scheme == "ssp" and self.asid is None:
            raise ValueError("asid: needed where document_url begins with ssp://")
        return self


class NrlSettings(Model):
    """Settings of a configured locator.

    Args:
        token_url: The token endpoint, such as `https://api.service.nhs.uk/oauth2/token`; also the JWT's `aud`.
        key_id: The `kid` under which the application's public key is registered.
        end_user_organisation: ODS code to send in place of the user's own organisation; also the custodian of what is
            published.
        types: Read only pointers to these types of document (SNOMED CT codes); by default all that we may see.
        document_hosts: Hosts from which documents may be fetched directly, `host` or `host:port`. Nowhere else.
        max_document_bytes: Largest document that is fetched.
        ssp: Without it, what is behind the Spine Secure Proxy cannot be fetched.
        publish: Without it, nothing can be published.
    """

    token_url: str
    key_id: str
    end_user_organisation: str | None = None
    types: tuple[Annotated[str, AfterValidator(_known_type)], ...] = ()
    document_hosts: tuple[Host, ...] = ()
    max_document_bytes: int = Field(default=10_000_000, ge=1024)
    ssp: SspSettings | None = None
    publish: PublishSettings | None = None
