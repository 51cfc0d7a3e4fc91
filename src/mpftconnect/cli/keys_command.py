"""`mpftconnect keys`: the keys that sign reports, challenges and decisions."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mpftconnect.errors import UsageError

if TYPE_CHECKING:
    from mpftconnect.conformance.signing.keys import KeyFile

__all__ = ["command", "key_from", "passphrase_option"]

passphrase_option = click.option(
    "--passphrase",
    metavar="env:NAME|file:PATH",
    help="Where the key's passphrase is. Never the passphrase itself: arguments are seen by others.",
)


@click.group("keys")
def command() -> None:
    """Make the keys that sign reports, and say whose keys are believed.

    A key is a file that its owner alone can read. A trust file says whose keys are believed, from when to when, and
    which are revoked; `mpftconnect keys make` prints the lines that a trust file needs.
    """


@command.command("make")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="What the key is for: Releases, Digital team.")
@click.option("--organisation", required=True, help="Whose it is.")
@click.option("--role", type=click.Choice(["supplier", "buyer", "assessor"]), required=True)
@passphrase_option
def make(path: Path, name: str, organisation: str, role: str, passphrase: str | None) -> None:
    """Make a key at PATH, and print what a trust file says of it."""
    from mpftconnect.conformance.signing.keys import make_key

    key = make_key(path, passphrase=secret_from(passphrase))
    _say(key, name=name, organisation=organisation, role=role)


@command.command("rotate")
@click.argument("old", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("new", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="What the key is for.")
@click.option("--organisation", required=True, help="Whose it is.")
@click.option("--role", type=click.Choice(["supplier", "buyer", "assessor"]), required=True)
@click.option("--new-passphrase", metavar="env:NAME|file:PATH", help="As --passphrase, of the new key.")
@passphrase_option
def rotate(
    old: Path,
    new: Path,
    name: str,
    organisation: str,
    role: str,
    passphrase: str | None,
    new_passphrase: str | None,
) -> None:
    """Make the key NEW in the place of OLD, and print what a trust file says of both."""
    from mpftconnect.conformance.signing.keys import load_key, make_key

    before = load_key(old, passphrase=secret_from(passphrase))
    key = make_key(new, passphrase=secret_from(new_passphrase))
    _say(key, name=name, organisation=organisation, role=role, replaces=before.id)
    _say_revoked(before.id, "replaced")


@command.command("revoke")
@click.argument("key_id")
@click.option("--because", type=click.Choice(["replaced", "lost", "compromised"]), required=True)
@click.option("--on", "day", metavar="YYYY-MM-DD", help="From that day; today, if none is given.")
def revoke(key_id: str, because: str, day: str | None) -> None:
    """Print the lines that revoke KEY_ID in a trust file.

    A compromised key is believed for nothing any more, whatever day a signature names; one that was replaced or lost
    is still believed for what was signed before.
    """
    if len(key_id) != 64 or set(key_id) - set("0123456789abcdef"):
        raise UsageError("KEY_ID: expected the 64 characters that `keys show` prints")
    _say_revoked(key_id, because, day_from(day, "--on"))


@command.command("show")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@passphrase_option
def show(path: Path, passphrase: str | None) -> None:
    """Print the id and the public part of the key at PATH."""
    from mpftconnect.conformance.signing.keys import load_key

    key = load_key(path, passphrase=secret_from(passphrase))
    click.echo(f"id      {key.id}")
    click.echo(f"public  {key.public}")


@command.command("trust")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def trust(path: Path) -> None:
    """Read the trust file at PATH and list whose keys it believes today."""
    from mpftconnect.conformance.signing.trust import read_trust

    known = read_trust(path)
    today = datetime.now(UTC).date()
    for key in known.keys.values():
        doubt = known.doubt(key.id, today)
        click.echo(f"{key.id[:16]}  {key.role:9} {key.organisation}: {key.name}" + (f"  ({doubt})" if doubt else ""))
    if not known.keys:
        click.echo("The trust file names no key: nothing will be believed.", err=True)


def key_from(path: Path, passphrase: str | None) -> KeyFile:
    """The key of an option."""
    from mpftconnect.conformance.signing.keys import load_key

    return load_key(path, passphrase=secret_from(passphrase))


def secret_from(reference: str | None) -> str | None:
    """What a reference points at; None without one.

    Raises:
        UsageError: It is no reference, or points at nothing.
    """
    if reference is None:
        return None
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        value = os.environ.get(place, "")
    elif kind == "file" and place:
        try:
            value = Path(place).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--passphrase: the file cannot be read ({type(error).__name__})") from None
    else:
        raise UsageError("--passphrase: expected env:NAME or file:PATH, never the passphrase itself")
    if not value:
        raise UsageError("--passphrase: what it points at is empty")
    return value


def day_from(text: str | None, option: str) -> date:
    """The day of an option; today without one."""
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: expected a day such as 2026-11-25") from None


def _say(key: KeyFile, *, name: str, organisation: str, role: str, replaces: str = "") -> None:
    click.echo(f"# Made {key.path.name}; its id is {key.id}.", err=True)
    click.echo("# For the trust file of whoever is to believe it:", err=True)
    click.echo("[[key]]")
    for field, value in (("name", name), ("organisation", organisation), ("role", role), ("public", key.public)):
        click.echo(f"{field} = {_quoted(value)}")
    click.echo(f"from = {datetime.now(UTC).date()}")
    if replaces:
        click.echo(f"replaces = {_quoted(replaces)}")


def _say_revoked(key: str, because: str, day: date | None = None) -> None:
    click.echo("[[revoked]]")
    click.echo(f"key = {_quoted(key)}")
    click.echo(f"on = {day or datetime.now(UTC).date()}")
    click.echo(f"because = {_quoted(because)}")


def _quoted(text: str) -> str:
    import tomli_w

    return tomli_w.dumps({"x": text}).partition("= ")[2].strip()
