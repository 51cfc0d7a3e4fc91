"""What is installed, and what each adapter and twin was tried against (taken from the plugins themselves)."""

from __future__ import annotations

from collections.abc import Iterator

from mpftconnect.plugins import PluginRegistry, load_plugins


def render(registry: PluginRegistry | None = None) -> str:
    """The installed plugins as Markdown tables; a broken one is listed with its reason."""
    return "\n".join(_lines(registry or load_plugins()))


def _lines(registry: PluginRegistry) -> Iterator[str]:
    yield "## Adapters"
    yield ""
    yield "| Adapter | System | From | Tried against |"
    yield "|---|---|---|---|"
    for plugin in registry.plugins:
        for spec in plugin.adapters:
            origin = f"`{plugin.distribution}` {plugin.version}"
            yield f"| `{spec.name}` | {spec.supplier}: {spec.product} | {origin} | {spec.tried_against.words()} |"
    yield ""
    yield "## Twins"
    yield ""
    yield "| Twin | Stands in for adapter | Written from | Tried against |"
    yield "|---|---|---|---|"
    for twin in (twin for plugin in registry.plugins for twin in plugin.twins):
        yield f"| `{twin.name}` | `{twin.adapter}` | {twin.written_from} | {twin.tried_against.words()} |"
    yield ""
    for plugin in registry.broken:
        yield f'!!! failure "Plugin {plugin.name} could not be loaded"'
        yield f"    {plugin.problem}"
        yield ""
