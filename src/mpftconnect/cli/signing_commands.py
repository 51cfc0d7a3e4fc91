"""`report sign|verify|grant|witness` and `conform challenge`: who stands behind a report, and what does not match."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.keys_command import day_from, key_from, passphrase_option
from mpftconnect.cli.output import printable
from mpftconnect.conformance.numbers import many

if TYPE_CHECKING:
    from mpftconnect.conformance.signing import Verification

__all__ = ["challenge", "grant", "sign", "sign_file", "verify", "witness"]

F = TypeVar("F", bound=Callable[..., Any])

_REPORT = click.argument("report", type=click.Path(path_type=Path, file_okay=False))
_KEY = click.option("--key", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The key's file.")


@click.command("sign")
@_REPORT
@_KEY
@click.option("--until", metavar="YYYY-MM-DD", help="Last day for which the signer stands by it; a year, if not given.")
@passphrase_option
def sign(report: Path, key: Path, until: str | None, passphrase: str | None) -> None:
    """Sign a report: every file of its folder, its product, packs, judge and target.

    A signature says that nothing was altered since. It does not say that the run was honest.
    """
    from mpftconnect.conformance.signing import sign_report

    expires = day_from(until, "--until") if until else None
    statement = sign_report(report, key_from(key, passphrase), expires=expires)
    product = statement["predicate"]["product"]
    files = many(len(statement["subject"]), "file")
    click.echo(f"signed: {printable(product['product'])} {printable(product['version'])}, {files}")


@click.command("sign-file")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_KEY
@passphrase_option
def sign_file(file: Path, key: Path, passphrase: str | None) -> None:
    """Sign a document, such as assessment.toml; the signature stands beside it."""
    from mpftconnect.conformance.signing.decisions import sign_document

    click.echo(f"signed: {sign_document(file, key_from(key, passphrase)).name}")


@click.command("verify")
@_REPORT
@click.option("--trust", "trust_file", type=click.Path(path_type=Path, dir_okay=False), help="Whose keys are believed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(report: Path, trust_file: Path | None, as_json: bool) -> int:
    """Hold a report against its signatures, and against its own outcomes and evidence, without a network.

    Exit code 0: unaltered since signed by a key that the trust file believes. 1: something does not match, named
    exactly. 3: nothing shows whether it was altered, or its day is past.
    """
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.signing import read_trust, verify_report
    from mpftconnect.conformance.signing.trust import Trust
    from mpftconnect.plugins import load_plugins

    trust = read_trust(trust_file) if trust_file else Trust()
    registry = load_plugins()
    catalog = load_catalog(registry)
    found = verify_report(report, trust, catalog=catalog, formats=list(registry.report_formats.values()))
    if as_json:
        click.echo(json.dumps(_as_dict(found), indent=2))
    else:
        for line in _lines(found, trust_file is not None):
            click.echo(line)
    if found.verdict == "altered":
        return Exit.NOT_MET
    return Exit.DONE if found.verdict == "unaltered" and not found.expired else Exit.UNDECIDED


@click.command("grant")
@_REPORT
@click.argument("requirement")
@_KEY
@click.option("--until", required=True, metavar="YYYY-MM-DD", help="Last day on which it is accepted.")
@click.option("--reason", required=True, help="Why a buyer accepts it.")
@passphrase_option
def grant(report: Path, requirement: str, key: Path, until: str, reason: str, passphrase: str | None) -> None:
    """Accept, with a buyer's key, an exception that the report asks for. The outcome stays as it is."""
    from mpftconnect.conformance.signing import grant_exception

    day = day_from(until, "--until")
    name = grant_exception(report, requirement, key_from(key, passphrase), until=day, reason=reason)
    click.echo(f"granted until {day}: {name}")


@click.command("witness")
@_REPORT
@_KEY
@click.option("--says", required=True, help="What was witnessed, in the buyer's words.")
@passphrase_option
def witness(report: Path, key: Path, says: str, passphrase: str | None) -> None:
    """Say, with a buyer's key, to have been there when the run was made."""
    from mpftconnect.conformance.signing import witness_report

    click.echo(f"witnessed: {witness_report(report, key_from(key, passphrase), says=says)}")


@click.command("challenge")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--pack", "names", multiple=True, required=True, help="A pack that must be run; again for more.")
@click.option("--product", required=True)
@click.option("--product-version", "version", required=True)
@click.option("--buyer", required=True, help="The organisation that asks.")
@click.option("--until", required=True, metavar="YYYY-MM-DD", help="Last day on which a run answers it.")
@_KEY
@passphrase_option
def challenge(
    file: Path,
    names: tuple[str, ...],
    product: str,
    version: str,
    buyer: str,
    until: str,
    key: Path,
    passphrase: str | None,
) -> None:
    """Write a challenge to FILE: a supplier's run that carries it was made after it, by these packs.

    The supplier runs `mpftconnect conform run supplier.toml --challenge FILE`.
    """
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.signing import make_challenge
    from mpftconnect.plugins import load_plugins

    catalog = load_catalog(load_plugins())
    data = make_challenge(
        key_from(key, passphrase),
        product=product,
        version=version,
        packs={name: catalog.pack(name).digest for name in names},
        expires=day_from(until, "--until"),
        buyer=buyer,
    )
    file.write_bytes(data)
    click.echo(f"challenge: {file.name}")


def _lines(found: Verification, trusted: bool) -> list[str]:
    lines = [found.demonstration] if found.demonstration else []
    lines.append(found.sentence)
    if found.verdict == "not-trusted" and not trusted:
        lines.append("No trust file was given: name one with --trust.")
    lines += [f"  does not match: {printable(m.place)}: {printable(m.says)}" for m in found.mismatches]
    lines += [f"  doubt: {printable(doubt)}" for doubt in found.doubts]
    lines.append(f"Run by: {found.run_by}")
    if found.signed:
        age = f", {many(found.age_days, 'day')} ago" if found.age_days is not None else ""
        lines.append(f"Signed: {printable(found.signed)}{age}; stands until {printable(found.expires)}")
    if found.expired:
        lines.append("EXPIRED: the day for which the signer stands by it is past.")
    lines += [f"  {printable(note)}" for note in found.notes]
    for granted in found.grants:
        state = "granted, and run out," if granted["expired"] else "granted"
        lines.append(
            f"  exception {state} until {printable(granted['until'])}: {printable(granted['requirement'])} "
            f"by {printable(granted['granted_by'])}: {printable(granted['reason'])}"
        )
    return lines


def _as_dict(found: Verification) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "sentence": found.sentence,
        "demonstration": found.demonstration,
        "mismatches": [{"place": m.place, "says": m.says} for m in found.mismatches],
        "signed_by": [
            {"id": key.id, "name": key.name, "organisation": key.organisation, "role": key.role}
            for key in found.signed_by
        ],
        "doubts": list(found.doubts),
        "run_by": found.run_by,
        "signed": found.signed,
        "age_days": found.age_days,
        "expires": found.expires,
        "expired": found.expired,
        "grants": [dict(each) for each in found.grants],
        "notes": list(found.notes),
        "corrected": [
            {
                "requirement": each.requirement,
                "erratum": each.erratum.id,
                "effect": str(each.erratum.effect),
                "before": each.before,
                "after": each.after,
            }
            for each in found.corrected
        ],
    }
