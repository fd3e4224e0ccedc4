"""erase: a mail goes for good, everywhere or from one mailbox."""

from __future__ import annotations

import click

from mailfold.cli.output import Failure
from mailfold.erasing import erase_again, erase_mails, received_as
from mailfold.tracing import find_mail
from mailfold.wiring import House, open_house


@click.command()
@click.argument("mail", metavar="MAIL_ID|MESSAGE-ID", required=False)
@click.option("--mailbox", "address", help="Only from the mailbox of this account.")
@click.option("--again", is_flag=True, help="Erase again all that the log says is erased.")
def erase(mail: str | None, address: str | None, again: bool) -> None:
    """Erase a mail for good, without waiting for the undelete window.

    Returns when its bytes are gone: keys destroyed, unneeded parts deleted, indexes cleaned.
    After an older keys.db was put in place, --again comes before `serve`.
    """
    if (mail is None) != again:
        raise click.UsageError("give a MAIL_ID or a MESSAGE-ID, or --again")
    with open_house() as house:
        house.prepare()
        if mail is None:
            click.echo(f"{erase_again(house)} keys destroyed")
            return
        mailbox_id = None
        if address is not None:
            account = house.directory.account(address)
            if account is None:
                raise Failure(f"there is no account {address}; see `mailfold account list`")
            mailbox_id = account.mailbox_id
        known = [m for m in find_mail(house, mail) if _is_known(house, m, mailbox_id)]
        if not known:
            where = f" in the mailbox of {address}" if address else ""
            raise Failure(f"no mail is known as {mail}{where}")
        erased = erase_mails(house, known, mailbox_id)
        click.echo(f"{erased} erased" if erased else "nothing was left to erase")


def _is_known(house: House, mail_id: str, mailbox_id: str | None) -> bool:
    received = received_as(house, mail_id)
    if received is None:
        return False
    if mailbox_id is not None:
        return mailbox_id in received.mailboxes
    return bool(received.mailboxes or received.forwards)
