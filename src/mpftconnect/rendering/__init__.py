"""What all pages share: one style sheet, escaped templates, and text that cannot hide what it says.

Everything that a source sent is text: templates escape it, characters that could reorder or hide what is read are
made visible, and a Content-Security-Policy (CSP Level 3, `default-src 'none'`) allows the one style sheet by its hash.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mpftconnect.model import PartialDate

__all__ = ["Style", "clock_words", "style_sheet", "templates"]

_LONDON = ZoneInfo("Europe/London")

# C0 and C1 controls, lone surrogates, and the controls of the bidirectional algorithm (Unicode Standard Annex 9,
# section 2): the last can make a dose read backwards.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _make_visible(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", str(value))
    return value


def clock_words(moment: datetime) -> str:
    """A moment of ours in London time, with the zone stated.

    >>> from datetime import UTC
    >>> clock_words(datetime(2026, 7, 1, 9, 5, tzinfo=UTC)), clock_words(datetime(2026, 12, 1, 9, 5, tzinfo=UTC))
    ('1 July 2026, 10:05 BST', '1 December 2026, 09:05 GMT')
    """
    local = moment.astimezone(_LONDON)
    return f"{PartialDate(local.date().isoformat()).words()}, {local:%H:%M %Z}"


@dataclass(frozen=True, slots=True)
class Style:
    """The style sheet, and the Content-Security-Policy that allows it and nothing else."""

    text: Markup
    policy: str


@lru_cache(maxsize=1)
def style_sheet() -> Style:
    """The one style sheet of all pages."""
    # The hash is of exactly what stands between the tags, so line ends must not depend on the machine.
    text = (files(__package__) / "record.css").read_text(encoding="utf-8").replace("\r\n", "\n")
    digest = b64encode(sha256(text.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Style(Markup(text), policy)  # noqa: S704 - the SDK's own file, no outside text


def templates(package: str, **functions: Callable[..., Any] | object) -> Environment:
    """The environment of a package's templates, in its folder `templates`; it knows these functions beside its own."""
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(clock_words=clock_words, **functions)
    return environment
