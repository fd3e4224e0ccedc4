"""Messages that a query finds."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response

from api.rest import rows
from api.rest.context import Caller
from api.rest.errors import invalid, rate_limited
from api.rest.pages import refused
from api.rest.reply import reply
from api.rest.shapes import Listed, Messages
from projections.mailbox.ports import MessageRow
from projections.search.ports import BadPageToken, BadQuery, Hit

SEARCHES = "searches"
"""Name of the limit on searches of an account."""

DESCRIPTION = (
    'A query: words and "exact phrases", `word*` for its beginnings, `from:` `to:` `cc:` '
    "`subject:` `body:` `filename:` `list:` before a word, a phrase or words in parentheses, "
    "`label:` or `in:` (`in:anywhere` with SPAM and TRASH), `is:read` `is:unread` `is:starred`, "
    "`has:attachment`, `larger:` and `smaller:` (octets, or K, M, G), `after:` and `before:` "
    "(2024/01/31, days of UTC), `older_than:` and `newer_than:` (2d, 3w, 1m, 1y), `rfc822msgid:`; "
    "AND (the default, closer than OR), OR, NOT or `-`, and parentheses. Case, accents and "
    "punctuation do not count. The answer states the seq that the search index stands at. Each "
    "message has `snippetParts`: its snippet, cut so that every second part, the second being the "
    "first of them, is what matched; all are plain text. Not to be had together with `at`."
)
"""What OpenAPI says of `q`."""


async def search_messages(
    caller: Caller,
    query: str,
    *,
    labels: Sequence[str],
    include_spam: bool,
    limit: int,
    page_token: str | None,
    min_seq: int | None,
) -> Response:
    """Answer a page of what a query finds. Raises ApiError 400, 429."""
    services, context = caller.services, caller.context
    wait = services.limits.hit(SEARCHES, caller.account.address)
    if wait > 0:
        raise rate_limited(wait)
    search, reader, mailbox_id = services.search, services.reader, caller.mailbox_id

    async def seen(seq: int) -> bool:
        return search.head(mailbox_id) >= seq

    if min_seq is not None:
        await context.progress.until(lambda: seen(min_seq), services.settings.wait)
    try:
        found, seq = await context.threads.searching(
            search.search,
            mailbox_id,
            query,
            labels=labels,
            include_spam=include_spam,
            limit=limit,
            page_token=page_token,
        )
    except BadQuery as e:
        raise invalid(f"q: {e}") from e
    except BadPageToken as e:
        raise refused(e) from e

    async def listed() -> bool:
        return reader.head(mailbox_id) >= seq

    # Its rows come from the mailbox, which is rarely behind the index.
    await context.progress.until(listed, services.settings.wait)
    listed_rows, _ = reader.get_many(mailbox_id, [hit.message_id for hit in found.hits])
    # One that has left the mailbox since is left out.
    messages = [
        _listed(listed_rows[hit.message_id], hit)
        for hit in found.hits
        if hit.message_id in listed_rows
    ]
    return reply(Messages(messages, found.next_token, found.estimate), seq)


def _listed(row: MessageRow, hit: Hit) -> Listed:
    """Return a message as a list shows it, with what the query found in it."""
    found = rows.listed(row)
    if hit.excerpt:
        found.snippet = "".join(hit.excerpt)
    found.snippet_parts = list(hit.excerpt) or [found.snippet]
    return found
