"""Maps a feed's messages by the site file that its configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mpftconnect.errors import ConfigurationError
from mpftconnect.hl7v2 import Mapped, Site, map_message, parse, read_site
from mpftconnect.inbox.feeds import Feed
from mpftconnect.inbox.inbox import Mapper

__all__ = ["site_mapper"]


def site_mapper(feeds: Mapping[str, Feed], folder: Path) -> Mapper:
    """A mapper for an inbox.

    Args:
        feeds: By name.
        folder: Relative site files are relative to it.
    Raises:
        ConfigurationError: Everything that is wrong with the site files, at once.
    """
    sites: dict[str, Site] = {}
    problems: list[str] = []
    for name, feed in feeds.items():
        try:
            site = read_site(folder / feed.site) if feed.site else Site(zone=feed.zone)
        except ConfigurationError as error:
            problems += [f"inbox.feeds.{name}.site: {problem}" for problem in error.problems]
            continue
        sites[name] = replace(site, name=feed.system or name)
    if problems:
        raise ConfigurationError(problems)

    def mapper(raw: bytes, feed: str) -> Mapped:
        return map_message(parse(raw), sites.get(feed))

    return mapper
