"""Page tokens, as all lists take and refuse them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from api.rest.errors import ApiError, invalid, not_found
from projections.mailbox.ports import BadPageToken, ForeignPageToken

PageToken = Annotated[
    str | None,
    Query(
        alias="pageToken",
        max_length=1024,
        description="The nextPageToken of the page before; other parameters unchanged.",
        # Those of lists and, with the number that was found, those of searches.
        json_schema_extra={"pattern": "^([A-Za-z0-9_-]{54}|[A-Za-z0-9_-]{59})?$"},
    ),
]


def refused(error: BadPageToken) -> ApiError:
    """Return what to raise for a token that opens no page of this list.

    One of somebody else's mailbox is answered as one that does not exist.
    """
    if isinstance(error, ForeignPageToken):
        return not_found("page")
    return invalid(
        "pageToken: not one of this list; begin again without it, other parameters unchanged"
    )
