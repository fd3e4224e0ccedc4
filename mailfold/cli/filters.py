"""filter: what is done to the new mail of an account."""

from __future__ import annotations

from typing import Any

import click

from infra.ports import Account
from mail.query.language import BadQuery, parse
from mailfold.cli.output import Failure, json_option, listing
from mailfold.driving import driving
from mailfold.mailboxes import append, label_id, new_command_id
from mailfold.wiring import House, open_house
from projections.consumer import fold_until
from projections.mailbox.ports import FilterRow
from schemas.commands import DefineFilter
from schemas.identity import derived
from schemas.parts import FilterSecret
from schemas.seal import seal
from streams.topology import MAILBOX

_COLUMNS = ("id", "query", "labels", "archive", "star", "markRead", "neverSpam")

_REFUSED = {
    "unknown-filter": "there is no such filter; `mailfold filter list ADDRESS` shows all",
    "no-action": "say what to do: --label, --archive, --star, --read or --never-spam",
    "conflicting-labels": (
        "TRASH or SPAM stands alone, INBOX goes not with --archive, SPAM not with --never-spam"
    ),
    "forbidden-label": "nothing is filtered into ALL, SENT or DRAFTS",
    "too-many-filters": "the account has as many filters as it can; remove one",
    "unknown-mailbox": "the account is being made; try again",
}


@click.group("filter")
def filter_() -> None:
    """Filters of an account: what is done to its new mail."""


@filter_.command("add")
@click.argument("address")
@click.argument("query")
@click.option("--label", "labels", multiple=True, help="Put it into this label; may be repeated.")
@click.option("--archive", is_flag=True, help="Keep it out of INBOX.")
@click.option("--star", is_flag=True, help="Star it.")
@click.option("--read", is_flag=True, help="Mark it read.")
@click.option("--never-spam", is_flag=True, help="Not to SPAM, whatever its score.")
def filter_add(
    address: str,
    query: str,
    labels: tuple[str, ...],
    archive: bool,
    star: bool,
    read: bool,
    never_spam: bool,
) -> None:
    """Do this to new mail for ADDRESS that QUERY matches; print the filter's identifier.

    Mail that is there already stays as it is. A label that does not exist is made.
    """
    try:
        parse(query)
    except BadQuery as e:
        raise Failure(f"query: {e}") from e
    if not (labels or archive or star or read or never_spam):
        raise Failure(_REFUSED["no-action"])
    with open_house() as house:
        house.prepare()
        mailbox_id = _account(house, address).mailbox_id
        identity = new_command_id(house)
        filter_id = derived("filter", identity)
        key = house.keys.ensure([mailbox_id]).get(mailbox_id)
        if key is None:
            raise Failure(f"the account {address} is being removed")
        command = DefineFilter(
            command_id=identity,
            mailbox_id=mailbox_id,
            occurred_at=house.clock(),
            actor="admin",
            filter_id=filter_id,
            labels=[label_id(house, mailbox_id, name) for name in labels],
            archive=archive,
            star=star,
            read=read,
            never_spam=never_spam,
            sealed=seal(FilterSecret(query=query), key, identity, house.random),
        )
        _perform(house, command)
        click.echo(filter_id)


@filter_.command("list")
@click.argument("address")
@json_option
def filter_list(address: str, as_json: bool) -> None:
    """List the filters of ADDRESS."""
    with open_house() as house:
        house.prepare()
        mailbox_id = _account(house, address).mailbox_id
        _show(house)
        names = {row.label_id: row.name for row in house.reader.labels(mailbox_id)[0]}
        found, _ = house.reader.filters(mailbox_id)
        listing((_shown(row, names) for row in found), _COLUMNS, as_json)


@filter_.command("remove")
@click.argument("address")
@click.argument("filter_id", metavar="ID")
def filter_remove(address: str, filter_id: str) -> None:
    """Remove the filter ID of ADDRESS; what it did to mail stays."""
    with open_house() as house:
        house.prepare()
        command = DefineFilter(
            command_id=new_command_id(house),
            mailbox_id=_account(house, address).mailbox_id,
            occurred_at=house.clock(),
            actor="admin",
            filter_id=filter_id,
            deleted=True,
            sealed=b"",
        )
        _perform(house, command)


def _account(house: House, address: str) -> Account:
    account = house.directory.account(address)
    if account is None:
        raise Failure(f"there is no account {address}; see `mailfold account list`")
    return account


def _perform(house: House, command: DefineFilter) -> None:
    """Have a command judged. Raises Failure when the mailbox refuses it."""
    mailbox_id = command.mailbox_id
    with driving(house) as pipeline:
        append(house, command)
        pipeline.until(
            lambda: house.outcomes.outcome(mailbox_id, command.command_id) is not None,
            f"stage {MAILBOX.name} judging a command",
        )
        outcome = house.outcomes.outcome(mailbox_id, command.command_id)
    if outcome is not None and outcome.refusals:
        code = outcome.refusals[0].code
        raise Failure(_REFUSED.get(code, f"the mailbox refused it: {code}"))


def _show(house: House) -> None:
    """Let the view of mailboxes hold what the log has now, whether or not `serve` runs."""
    versions = house.versions["mailbox"]
    projection = versions.open(versions.live())
    try:
        fold_until(house.log, versions.source, projection, house.log.end(versions.source))
    finally:
        projection.close()


def _shown(row: FilterRow, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": row.filter_id,
        "query": row.query,
        "labels": [names.get(x, x) for x in row.labels],
        "archive": row.archive,
        "star": row.star,
        "markRead": row.read,
        "neverSpam": row.never_spam,
    }
