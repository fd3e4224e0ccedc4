"""queue: mail that is to be sent to other hosts."""

from __future__ import annotations

import json
from typing import Any

import click

from mailfold import queueing
from mailfold.cli.events import describe
from mailfold.cli.output import Failure, iso, json_option, listing
from mailfold.wiring import House, open_house
from schemas.topics import MAIL_ATTEMPTED, MAIL_SUBMITTED
from streams.outbound.queue import Item

_COLUMNS = ("id", "state", "reason", "to", "attempts", "next", "last", "submitted")


@click.group()
def queue() -> None:
    """Mail to other hosts: list, show, try now, drop."""


@queue.command("list")
@json_option
def queue_list(as_json: bool) -> None:
    """List what waits to be sent, and what is held back."""
    with open_house() as house:
        house.prepare()
        listing([_row(i) for i in queueing.items(house)], _COLUMNS, as_json)


@queue.command("show")
@click.argument("id_", metavar="ID")
def queue_show(id_: str) -> None:
    """Show the events of a submission or of a mail."""
    with open_house() as house:
        house.prepare()
        mail_ids = sorted({i.submitted.mail_id for i in _found(house, id_)})
        for mail_id in mail_ids:
            for topic in (MAIL_SUBMITTED, MAIL_ATTEMPTED):
                for record in house.log.find(topic, mail_id):
                    click.echo(json.dumps(describe(record, None), ensure_ascii=False))


@queue.command("retry")
@click.argument("ids", metavar="ID", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that wait; not what is held back.")
def queue_retry(ids: tuple[str, ...], everything: bool) -> None:
    """Try submissions now, by their id or that of their mail; one that is held back goes too."""
    if bool(ids) == everything:
        raise click.UsageError("name the ids, or --all")
    with open_house() as house:
        house.prepare()
        found = [i for i in queueing.items(house) if i.state == "waiting"]
        if not everything:
            found = [i for name in ids for i in _found(house, name)]
        queueing.retry(house, found)
        click.echo(f"{len(found)} to be tried again")


@queue.command("drop")
@click.argument("ids", metavar="ID", nargs=-1, required=True)
def queue_drop(ids: tuple[str, ...]) -> None:
    """Give submissions up, by their id or that of their mail; nobody is told."""
    with open_house() as house:
        house.prepare()
        found = [i for name in ids for i in _found(house, name)]
        queueing.drop(house, found)
        click.echo(f"{len(found)} dropped")


def _found(house: House, name: str) -> list[Item]:
    found = list(queueing.find(house, name))
    if not found:
        raise Failure(f"nothing is queued as {name}; `mailfold queue list` lists what is")
    return found


def _row(item: Item) -> dict[str, Any]:
    s = item.submitted
    last = " ".join(
        x for x in (item.outcome, str(item.code or ""), item.enhanced, item.reason) if x
    )
    return {
        "id": item.id,
        "mail": s.mail_id,
        "state": item.state,
        "reason": s.reason,
        "via": s.via_domain,
        "to": s.target_domain,
        "size": s.size,
        "attempts": item.attempts,
        "submitted": iso(s.occurred_at),
        "next": iso(item.next_at),
        "last": last,
        "suppressed": s.suppressed,
    }
