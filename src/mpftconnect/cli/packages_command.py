"""`mpftconnect packages`."""

from __future__ import annotations

import collections
from pathlib import Path

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.validation.outputs import plain

__all__ = ["command"]


@click.group("packages")
def command() -> None:
    """FHIR packages and imported terminologies: those that are here, and getting others."""


@command.command("list")
@click.option(
    "--package-path",
    "package_paths",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="Where packages are looked for (repeatable).",
)
@click.option("--store", type=click.Path(path_type=Path), metavar="DIR", help="Where terminologies were imported to.")
def list_packages(package_paths: tuple[str, ...], store: Path | None) -> None:
    """List the packages of the wheel, of the given folders and of the user's cache, and imported terminologies.

    Exit code 0: each can be read; 1: at least one is broken or hostile, and is listed as refused.
    """
    from mpftconnect.validation.definitions.installed import installed_packs, restated_pack
    from mpftconnect.validation.definitions.packages import read_package
    from mpftconnect.validation.definitions.resolve import BUILT_IN, packages_of, user_cache

    # A folder that is not there would look like one without packages.
    absent = [path for path in package_paths if not Path(path).is_dir()]
    if absent:
        raise click.UsageError(f"--package-path: no such folder: {', '.join(absent)}")
    for name, version in BUILT_IN.items():
        click.echo(f"{name}@{version}  in this wheel (pruned)")
    for name, folder in installed_packs().items():
        if folder is None:
            click.echo(f"{name}  broken: the folder that its distribution names is not there")
        elif (rules := restated_pack(name)) is not None:
            click.echo(f"{rules}  installed: restated rules of {rules.of}")
        else:
            click.echo(f"{read_package(folder)}  {folder}")
    refused = 0
    for place in [*map(Path, package_paths), user_cache()]:
        for package in packages_of(place):
            if isinstance(package, str):
                refused += 1
                click.echo(plain(f"refused  {package}"))
            else:
                click.echo(plain(f"{package}  {package.source}"))
    from mpftconnect.validation.terminology.imported import TerminologyStore

    for about in TerminologyStore(store).about():
        incomplete = f"; {about.malformed} rows could not be read" if about.malformed else ""
        click.echo(
            f"{about.system}|{about.version}  {about.edition}, {about.concepts} concepts{incomplete}, "
            f"imported {about.imported}  {about.file}"
        )
    if refused:
        raise click.exceptions.Exit(Exit.NOT_MET)


@command.command("import-terminology")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to; the user's data folder, or MPFT_TERMINOLOGY, unless given.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def import_terminology(files: tuple[Path, ...], store: Path | None, quiet: bool) -> None:
    """Index your own licensed release: SNOMED CT (RF2), dm+d (XML) or LOINC.

    FILE is a release's zip archive or folder. Give SNOMED CT's International and extension releases together: they
    make one edition, which takes the place of the one imported before. Nothing leaves this machine.

    Exit code 0: all was read; 1: rows could not be read, and are listed.
    """
    from mpftconnect.validation.terminology.releases.importing import import_release

    told = (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))
    made = import_release(files, store=store, tell=told)
    click.echo(f"imported {made.edition}, version {made.version}: {made.concepts} concepts into {made.index}")
    if made.malformed:
        if quiet:
            for problem in made.problems:
                click.echo(problem, err=True)
        click.echo(f"{made.malformed} rows could not be read: what is not found stays undecided", err=True)
        raise click.exceptions.Exit(Exit.NOT_MET)


@command.command("install")
@click.argument("wanted", metavar="NAME[@VERSION]")
@click.option(
    "--registry",
    default="https://packages.fhir.org",
    show_default=True,
    help="A registry of the packages.fhir.org protocol.",
)
def install_package(wanted: str, registry: str) -> None:
    """Get a package, and what it needs, from a registry into the user's cache. This uses the network.

    VERSION is exact, a range (1.0.x) or left out (the newest release). Checksums are compared, and what is in the
    cache already is not replaced.

    Exit code 0: it and what it needs are there; 1: a dependency is not in the registry; 2: it is not there, or what
    came cannot be trusted; 3: the registry does not answer.
    """
    from mpftconnect.validation.definitions.registry import install

    absent = False

    def tell(text: str) -> None:
        nonlocal absent
        absent = absent or text.startswith("not found: ")
        click.echo(plain(text))

    if not install(wanted, registry=registry, tell=tell):
        click.echo(f"{wanted} comes with mpftconnect: there is nothing to get")
    if absent:
        raise click.exceptions.Exit(Exit.NOT_MET)


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
        click.echo(plain(f"{package}  {package.source}"))
        click.echo(plain(f"  FHIR {', '.join(package.fhir_versions) or 'version not stated'}"))
        click.echo(f"  sha256 {package.digest}")
        for dependency, version in package.dependencies.items():
            state = "missing" if dependency in resolution.missing else "found"
            click.echo(plain(f"  needs {dependency}@{version}: {state}"))
        counted = collections.Counter(head.resourceType for head, _ in package.resources())
        for unreadable in package.unreadable:
            click.echo(plain(f"  unreadable: {unreadable}"))
    for kind, number in sorted(counted.items()):
        click.echo(plain(f"  {number} {kind}"))
