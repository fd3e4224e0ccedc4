"""erase: a mail goes for good, everywhere or from one mailbox."""

from __future__ import annotations

import click

from mailfold.cli.output import Failure
from mailfold.erasing import erase_mails, mailboxes_of
from mailfold.tracing import find_mail
from mailfold.wiring import open_house


@click.command()
@click.argument("mail", metavar="MAIL_ID|MESSAGE-ID")
@click.option("--mailbox", "address", help="Only from the mailbox of this account.")
def erase(mail: str, address: str | None) -> None:
    """Erase a mail for good, without waiting for the undelete window.

    Returns when its bytes are gone: keys destroyed, unneeded parts deleted, indexes cleaned.
    """
    with open_house() as house:
        house.prepare()
        mailbox_id = None
        if address is not None:
            account = house.directory.account(address)
            if account is None:
                raise Failure(f"there is no account {address}; see `mailfold account list`")
            mailbox_id = account.mailbox_id
        known = [
            m
            for m in find_mail(house, mail)
            if (found := mailboxes_of(house, m)) and (mailbox_id is None or mailbox_id in found)
        ]
        if not known:
            where = f" in the mailbox of {address}" if address else ""
            raise Failure(f"no mail is known as {mail}{where}")
        erased = erase_mails(house, known, mailbox_id)
        click.echo(f"{erased} erased" if erased else "nothing was left to erase")
