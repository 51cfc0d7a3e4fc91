"""Hooks of the documentation site: fills in what is rendered from data, and keeps the site self-contained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import data_map_table
import hazard_log
import plugin_table
from mkdocs.exceptions import PluginError

RENDERED = {
    "<!-- rendered: hazard log -->": lambda docs: hazard_log.render(hazard_log.load(docs / "safety" / "hazards.toml")),
    "<!-- rendered: plugins -->": lambda docs: plugin_table.render(),
    "<!-- rendered: data map -->": lambda docs: data_map_table.render(),
}

# A `src` of any element, or the `href` of a <link>, that leads off the site: the page would not work without a network,
# and would tell a stranger that it was read. Links that a reader follows (<a href>) are not loaded.
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(https?:)?//|<link\b(?![^>]*rel=["']?canonical)[^>]*\bhref=["']?(https?:)?//""",
    re.IGNORECASE,
)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    docs = Path(config["docs_dir"])
    for marker, text in RENDERED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, text(docs))
    return markdown


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    if _LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from another site")
    return output
