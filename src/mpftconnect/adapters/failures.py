"""Which of our errors each exception of the layers below stands for.

The originals are never chained: their texts hold addresses, and addresses hold NHS numbers (rule 16).
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator

import requests.exceptions as of_requests
import urllib3.exceptions as of_urllib3

from mpftconnect.errors import AdapterError, AnswerRejected, TimedOut, Unreachable

__all__ = ["adapter_error", "is_worth_another_try"]

_TLS = "TLS: "

# OpenSSL's X509_V_ERR_* numbers (openssl/x509_vfy.h) that an administrator can act on.
_CERTIFICATE_FAULTS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate chain ends in an authority that is not trusted",
    20: "the certificate's authority is not known here",
    21: "the certificate's authority is not known here",
    23: "the certificate is revoked",
    62: "the certificate is for another host",
    64: "the certificate is for another host",  # asked for by its address
}

# Looked through in order: the first row that fits any exception of the chain decides.
_TABLE: tuple[tuple[tuple[type[BaseException], ...], type[AdapterError], str], ...] = (
    (
        (of_requests.ProxyError, of_urllib3.ProxyError),
        Unreachable,
        "proxy: no connection through the configured proxy",
    ),
    (
        (ssl.SSLError, ssl.CertificateError, of_urllib3.SSLError, of_requests.SSLError),
        Unreachable,
        _TLS + "no secure connection",
    ),
    (
        (socket.gaierror, socket.herror, of_urllib3.NameResolutionError),
        Unreachable,
        "DNS: the host name cannot be resolved",
    ),
    ((ConnectionRefusedError,), Unreachable, "TCP: connection refused"),
    ((of_urllib3.NewConnectionError,), Unreachable, "TCP: no connection"),
    (
        (of_urllib3.ConnectTimeoutError, of_requests.ConnectTimeout),
        Unreachable,
        "TCP: no connection within the connect timeout",
    ),
    (
        (of_urllib3.TimeoutError, of_requests.Timeout, TimeoutError),
        TimedOut,
        "no whole answer in time",
    ),
    (
        (
            of_urllib3.ProxySchemeUnknown,
            of_urllib3.ProxySchemeUnsupported,
            of_urllib3.LocationValueError,
            of_urllib3.TimeoutStateError,
            of_requests.URLRequired,
            of_requests.MissingSchema,
            of_requests.InvalidSchema,
            of_requests.InvalidURL,
            http.client.InvalidURL,
            UnicodeError,
        ),
        AdapterError,
        "the request or the proxy's address cannot be written as HTTP",
    ),
    (
        (of_urllib3.InvalidHeader, of_urllib3.HeaderParsingError),
        AnswerRejected,
        "a header of the answer is malformed",
    ),
    ((of_requests.InvalidHeader,), AdapterError, "a header of the request is not allowed in HTTP"),
    (
        (http.client.RemoteDisconnected, ConnectionError, http.client.NotConnected),
        Unreachable,
        "TCP: the connection was lost before the answer was whole",
    ),
    (
        (of_urllib3.IncompleteRead, of_urllib3.InvalidChunkLength, http.client.IncompleteRead),
        AnswerRejected,
        "the answer is truncated",
    ),
    (
        (of_urllib3.DecodeError, of_requests.ContentDecodingError, of_requests.ChunkedEncodingError),
        AnswerRejected,
        "the answer's encoding is broken",
    ),
    ((of_requests.InvalidJSONError,), AnswerRejected, "the answer does not parse"),
    (
        (of_requests.TooManyRedirects, of_urllib3.HostChangedError),
        AnswerRejected,
        "the answer redirects, which is not followed",
    ),
    (
        (of_urllib3.PoolError,),
        Unreachable,
        "TCP: the connection was closed on this side",
    ),
    (
        (
            of_requests.RetryError,
            of_requests.HTTPError,
            of_requests.StreamConsumedError,
            of_requests.UnrewindableBodyError,
            of_urllib3.ResponseError,
            of_urllib3.BodyNotHttplibCompatible,
            of_urllib3.UnrewindableBodyError,
            of_urllib3.ProtocolError,
            http.client.HTTPException,
        ),
        AnswerRejected,
        "the answer is not HTTP",
    ),
    (
        (of_requests.ConnectionError, of_requests.RequestException, of_urllib3.HTTPError, OSError),
        Unreachable,
        "TCP: the connection failed",
    ),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it wraps: as cause, as context, as `reason` or as an argument."""
    waiting, seen = [error], set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = (getattr(each, "reason", None), *each.args, each.__cause__, each.__context__)
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]


def _tls_fault(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", 0)
        return _CERTIFICATE_FAULTS.get(code, f"the certificate is not trusted (OpenSSL's verify code {code})")
    reason = getattr(error, "reason", None)
    if isinstance(error, ssl.SSLError) and isinstance(reason, str) and re.fullmatch(r"[A-Z0-9_]{1,60}", reason):
        return reason.lower().replace("_", " ")
    return None


def adapter_error(error: BaseException, *, system: str | None = None) -> AdapterError | None:
    """The error of ours that an exception of requests, urllib3, http.client, ssl or socket stands for.

    Returns:
        A new error without cause or context; None for an exception that none of these layers raises.

    >>> adapter_error(ConnectionRefusedError("http://host/Patient/1"), system="pds")
    Unreachable('pds: TCP: connection refused')
    """
    chain = list(_chain(error))
    for kinds, ours, rule in _TABLE:
        if any(isinstance(each, kinds) for each in chain):
            if rule.startswith(_TLS):
                rule = next((_TLS + fault for each in chain if (fault := _tls_fault(each))), rule)
            return ours(rule, system=system)
    return None


def is_worth_another_try(error: AdapterError) -> bool:
    """Whether a safe request may be sent again after it: the network's faults, but no refused certificate."""
    return isinstance(error, Unreachable) and not error.rule.startswith(_TLS)
