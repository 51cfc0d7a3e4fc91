"""`mpftconnect conform init`: writes a supplier.toml, from flags and, for what they leave open, by questions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mpftconnect.cli.output import write_private
from mpftconnect.errors import UsageError

__all__ = ["init"]

_ROLES = ("full", "sparse", "restricted", "deceased")


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("supplier.toml"))
@click.option("--product", help="Name of the product.")
@click.option("--product-version", help="Its version: a report speaks of this version alone.")
@click.option("--supplier", help="Legal entity that answers for it.")
@click.option("--companies-house", help="Its Companies House number.")
@click.option("--ods", help="Its ODS code.")
@click.option("--environment", type=click.Choice(["test", "live"]), help="An environment is live unless declared test.")
@click.option("--base-url", help="FHIR base URL.")
@click.option("--mllp-receiver", metavar="HOST:PORT", help="Where the product takes HL7 v2 over MLLP.")
@click.option(
    "--mllp-sender", type=click.IntRange(1, 65_535), metavar="PORT", help="Where we listen for what it sends."
)
@click.option("--mllp-recorded", metavar="PATH", help="A file or folder of messages that it sent.")
@click.option("--package", help="FHIR package that it was built for, as name@version.")
@click.option("--auth", type=click.Choice(["none", "bearer", "client-credentials", "signed-jwt"]))
@click.option("--token-url", help="Where a token is fetched, for client-credentials and signed-jwt.")
@click.option("--authorised-by", "authoriser", help="Name of who allows the run.")
@click.option("--organisation", help="Of which organisation they are.")
@click.option("--scope", help="What they allow.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(path: Path, force: bool, **given: Any) -> None:
    """Write PATH, asking for what no flag gives. Secrets are references: set the variables that the file names.

    The people are the test people of this SDK: enter their sheets, or put your own test numbers in their place.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} is there; --force replaces it")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}")
    import tomli_w

    from mpftconnect.conformance.supplier_file import FORMAT_VERSION

    def ask(name: str, question: str, default: str | None = None, choices: tuple[str, ...] = ()) -> str:
        said = given.get(name)
        if said is not None:
            return str(said)
        kind = click.Choice(choices) if choices else None
        return str(click.prompt(question, default=default, type=kind, err=True))

    product: dict[str, Any] = {
        "name": ask("product", "Product"),
        "version": ask("product_version", "Version"),
        "supplier": ask("supplier", "Legal entity"),
    }
    if given["ods"]:
        product["ods"] = given["ods"]
    else:
        product["companies_house"] = ask("companies_house", "Companies House number (or use --ods)")
    mllp = _mllp(given)
    target: dict[str, Any] = {
        "environment": ask("environment", "Environment", "test", ("test", "live")),
        "adapter": "fhir-r4",
        "base_url": ask("base_url", "FHIR base URL", "" if mllp else None),
        "package": ask("package", "FHIR package, as name@version (empty: none)", ""),
        "allow_writes": False,
    }
    kind = ask("auth", "How requests are signed", "none", ("none", "bearer", "client-credentials", "signed-jwt"))
    if kind != "none":
        target["auth"] = {"kind": kind}
        if kind != "bearer":
            target["auth"]["token_url"] = ask("token_url", "Token URL")
        target["secrets"] = {
            name: {"env": f"SUPPLIER_{name.upper()}"}
            for name in {
                "bearer": ("token",),
                "client-credentials": ("client_id", "client_secret"),
                "signed-jwt": ("api_key", "private_key"),
            }[kind]
        }
    table = {
        "version": FORMAT_VERSION,
        "product": product,
        "target": target,
        "authorised_by": {
            "name": ask("authoriser", "Who allows the run (name)"),
            "organisation": ask("organisation", "Of which organisation"),
            "date": datetime.now(UTC).date(),
            "scope": ask("scope", "What they allow", "conformance checks in this environment"),
        },
        "people": _people(),
    }
    if mllp:
        table["mllp"] = mllp
    write_private(path, tomli_w.dumps(table))
    click.echo(f"wrote {path}")
    for name, reference in target.get("secrets", {}).items():
        click.echo(f"  set {reference['env']} to the {name}")
    click.echo("  enter the test people, then state the day in people.full.entered and people.sparse.entered")
    if "receiver" in mllp:
        click.echo("  messages are sent only with target.allow_writes = true; state whether the line speaks TLS")
    packs = [*(["uk-core-r4"] if target["base_url"] else []), *(["hl7v2-uk"] if mllp else [])]
    named = " ".join(f"--pack {name}" for name in packs or ["uk-core-r4"])
    click.echo(f"next: mpftconnect conform run {path} {named} --out report")


def _mllp(given: Mapping[str, Any]) -> dict[str, Any]:
    """The lines of a product that speaks HL7 v2; empty if no flag names one."""
    made: dict[str, Any] = {}
    if given["mllp_receiver"]:
        host, _, port = str(given["mllp_receiver"]).rpartition(":")
        if not host or not port.isdigit():
            raise UsageError("--mllp-receiver: expected HOST:PORT")
        made["receiver"] = {"host": host, "port": int(port), "tls": False}
    if given["mllp_sender"]:
        made["sender"] = {"host": "127.0.0.1", "port": given["mllp_sender"]}
    if given["mllp_recorded"]:
        made["sender"] = {**made.get("sender", {}), "recorded": [str(given["mllp_recorded"])]}
    return made


def _people() -> dict[str, dict[str, str]]:
    from mpftconnect.sandbox import person

    return {role: {"nhs_number": str(person(role).nhs_number)} for role in _ROLES}
