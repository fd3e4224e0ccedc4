"""search: find messages of an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from mailfold.cli.output import Failure, iso, json_option, listing
from mailfold.wiring import House, open_house
from projections.search.ports import BadQuery

_COLUMNS = ("date", "from", "subject", "id")
_PAGE = 100


@click.command()
@click.argument("address")
@click.argument("query")
@click.option("--limit", type=click.IntRange(1), default=50, help="Most messages to show.")
@click.option("--include-spam", is_flag=True, help="Messages in SPAM and TRASH too.")
@json_option
def search(address: str, query: str, limit: int, include_spam: bool, as_json: bool) -> None:
    """Show the messages of ADDRESS that QUERY finds, newest first.

    The index follows the mailbox while `serve` runs.
    """
    with open_house() as house:
        account = house.directory.account(address.lower())
        if account is None:
            raise Failure(f"there is no account {address}; `mailfold account list` shows all")
        try:
            rows = list(_found(house, account.mailbox_id, query, limit, include_spam))
        except BadQuery as e:
            raise Failure(f"query: {e}") from e
        listing(rows, _COLUMNS, as_json)


def _found(
    house: House, mailbox_id: str, query: str, limit: int, include_spam: bool
) -> Iterator[dict[str, Any]]:
    token: str | None = None
    left = limit
    while left > 0:
        page, _ = house.search.search(
            mailbox_id,
            query,
            include_spam=include_spam,
            limit=min(left, _PAGE),
            page_token=token,
        )
        for hit in page.hits:
            row, _ = house.reader.get(mailbox_id, hit.message_id)
            if row is not None:
                author = row.author[0] if row.author else None
                yield {
                    "id": row.message_id,
                    "threadId": row.thread_id,
                    "date": iso(row.internal_date),
                    "from": "" if author is None else author.address or author.name,
                    "subject": row.subject,
                    "labelIds": list(row.labels),
                    "snippet": "".join(hit.excerpt) or row.snippet,
                }
        left -= len(page.hits)
        token = page.next_token
        if token is None:
            return
