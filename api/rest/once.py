"""What is asked once may not be asked twice: which of the two was meant, nobody can know."""

from __future__ import annotations

from fastapi import Request

from api.rest.errors import invalid

ONCE = frozenset(
    {
        "at",
        "erase",
        "expires",
        "format",
        "includeSpam",
        "mailbox",
        "maxResults",
        "minSeq",
        "pageToken",
        "q",
        "signature",
        "since",
    }
)
"""The parameters of queries that are no lists."""


async def asked_once(request: Request) -> None:
    """Refuse a query that has one of them twice. Raises ApiError 400."""
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) == len(set(names)):
        return
    for name in ONCE.intersection(names):
        if names.count(name) > 1:
            raise invalid(f"{name}: give it once")
