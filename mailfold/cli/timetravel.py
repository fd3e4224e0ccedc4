"""at, diff: a mailbox as it was, and what changed between two times."""

from __future__ import annotations

from typing import Any

import click

from mailfold.cli.output import Failure, iso, json_option, listing, parse_time
from mailfold.mailboxes import label_id_of
from mailfold.timetravel import Change, changes, messages_at
from mailfold.wiring import House, open_house
from projections.mailbox.ports import MessageRow


@click.command()
@click.argument("time")
@click.argument("address")
@click.option("--label", help="Only messages in this label.")
@json_option
def at(time: str, address: str, label: str | None, as_json: bool) -> None:
    """List the mailbox of ADDRESS as it was at TIME (ISO 8601), newest first."""
    with open_house() as house:
        mailbox_id = _mailbox(house, address)
        labels = [label_id_of(house, mailbox_id, label)] if label else []
        found = messages_at(house.reader, mailbox_id, parse_time(time), labels)
        listing(map(_message, found), ("receivedAt", "from", "subject", "labels", "flags"), as_json)


@click.command()
@click.argument("time1")
@click.argument("time2")
@click.argument("address")
@json_option
def diff(time1: str, time2: str, address: str, as_json: bool) -> None:
    """Show what changed in the mailbox of ADDRESS from TIME1 to TIME2 (ISO 8601)."""
    with open_house() as house:
        mailbox_id = _mailbox(house, address)
        found = changes(house.reader, mailbox_id, parse_time(time1), parse_time(time2))
        listing(
            map(_change, found),
            ("change", "from", "subject", "added", "removed", "thread"),
            as_json,
        )


def _mailbox(house: House, address: str) -> str:
    account = house.directory.account(address)
    if account is None:
        raise Failure(f"there is no account {address}; see `mailfold account list`")
    return account.mailbox_id


def _message(row: MessageRow) -> dict[str, Any]:
    return {
        "id": row.message_id,
        "receivedAt": iso(row.received_at),
        "from": row.author[0].address if row.author else "",
        "subject": row.subject,
        "labels": list(row.labels),
        "flags": list(row.flags),
        "threadId": row.thread_id,
    }


def _change(change: Change) -> dict[str, Any]:
    row = change.message
    return {
        "change": change.kind,
        "id": row.message_id,
        "from": row.author[0].address if row.author else "",
        "subject": row.subject,
        "added": [*change.labels_added, *change.flags_added],
        "removed": [*change.labels_removed, *change.flags_removed],
        "labelsAdded": list(change.labels_added),
        "labelsRemoved": list(change.labels_removed),
        "flagsAdded": list(change.flags_added),
        "flagsRemoved": list(change.flags_removed),
        "thread": change.thread,
    }
