"""`mpftconnect packages`."""

from __future__ import annotations

import collections
from pathlib import Path

import click

__all__ = ["command"]


@click.group("packages")
def command() -> None:
    """FHIR packages: those that are here, and getting others."""


@command.command("list")
@click.option(
    "--package-path",
    "package_paths",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="Where packages are looked for.",
)
def list_packages(package_paths: tuple[str, ...]) -> None:
    """List the packages of the wheel, of the given folders and of the user's cache."""
    from mpftconnect.validation.definitions.installed import installed_packs, restated_pack
    from mpftconnect.validation.definitions.packages import read_package
    from mpftconnect.validation.definitions.resolve import BUILT_IN, packages_of, user_cache

    for name, version in BUILT_IN.items():
        click.echo(f"{name}@{version}  in this wheel (pruned)")
    for name, folder in installed_packs().items():
        if folder is None:
            click.echo(f"{name}  broken: the folder that its distribution names is not there")
        elif (rules := restated_pack(name)) is not None:
            click.echo(f"{rules}  installed: restated rules of {rules.of}")
        else:
            click.echo(f"{read_package(folder)}  {folder}")
    for place in [*map(Path, package_paths), user_cache()]:
        for package in packages_of(place):
            click.echo(f"{package}  {package.source}")


@command.command("install")
@click.argument("wanted", metavar="NAME[@VERSION]")
@click.option(
    "--registry",
    default="https://packages.fhir.org",
    show_default=True,
    help="A registry of the packages.fhir.org protocol.",
)
def install_package(wanted: str, registry: str) -> None:
    """Get a package, and what it needs, from a registry into the user's cache. This uses the network."""
    from mpftconnect.validation.definitions.registry import install

    if not install(wanted, registry=registry, tell=lambda text: click.echo(text)):
        click.echo(f"{wanted} comes with mpftconnect: there is nothing to get")


@command.command("show")
@click.argument("name", metavar="NAME[@VERSION]")
@click.option(
    "--package-path",
    "package_paths",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="Where packages are looked for.",
)
def show_package(name: str, package_paths: tuple[str, ...]) -> None:
    """Show what a package holds and what it needs."""
    from mpftconnect.validation.definitions.core_pack import PACKS, load_core_pack
    from mpftconnect.validation.definitions.resolve import resolve_packages

    resolution = resolve_packages([name], package_paths)
    if resolution.restated:
        rules = resolution.restated[0]
        click.echo(f"{rules}  installed: restated rules, not a published package")
        click.echo(f"  of {rules.of}, FHIR {rules.fhir}; used where none of these is: {', '.join(rules.instead_of)}")
        for line in rules.not_carried:
            click.echo(f"  not carried: {line}")
        counted = collections.Counter(resource["resourceType"] for resource in rules.resources)
    elif resolution.built_in and not resolution.packages:
        pack = load_core_pack(PACKS[resolution.built_in[0]])
        click.echo(f"{pack.package['name']}@{pack.package['version']}  in this wheel (pruned)")
        counted = collections.Counter(entry.resource_type for entry in pack.entries)
    else:
        package = resolution.packages[-1]
        click.echo(f"{package}  {package.source}")
        click.echo(f"  FHIR {', '.join(package.fhir_versions) or 'version not stated'}")
        click.echo(f"  sha256 {package.digest}")
        for dependency, version in package.dependencies.items():
            state = "missing" if dependency in resolution.missing else "found"
            click.echo(f"  needs {dependency}@{version}: {state}")
        counted = collections.Counter(head.resourceType for head, _ in package.resources())
        for unreadable in package.unreadable:
            click.echo(f"  unreadable: {unreadable}")
    for kind, number in sorted(counted.items()):
        click.echo(f"  {number} {kind}")
