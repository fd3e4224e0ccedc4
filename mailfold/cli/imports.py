"""import: mail that another store kept comes in by the same way as any other."""

from __future__ import annotations

from pathlib import Path

import click

from mailfold.cli.output import Failure
from mailfold.cli.progress import progress
from mailfold.importing import import_paths
from mailfold.mailboxes import label_id
from mailfold.wiring import open_house


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--to", "address", required=True, help="Account that the mail is for.")
@click.option("--label", help="Put the mail under this label; made when there is none.")
def import_(paths: tuple[Path, ...], address: str, label: str | None) -> None:
    """Import mbox, Maildir, .eml, folders or tar files of them.

    It can be interrupted and repeated: a mail that is there already is not taken again.
    """
    with open_house() as house:
        house.prepare()
        account = house.directory.account(address)
        if account is None:
            raise Failure(f"there is no account {address}; make it with `mailfold account add`")
        wanted = label_id(house, account.mailbox_id, label) if label else None
        report = progress(
            "import",
            lambda told: import_paths(house, paths, account.mailbox_id, wanted, told),
            octets=True,
        )
        click.echo(f"{report.new} new, {report.known} known, {report.failed} failed")
        for failure in report.failures[:20]:
            click.echo(f"  {failure}", err=True)
        if report.failed:
            raise SystemExit(1)
