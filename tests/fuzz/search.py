"""Fuzz targets for the query language and the tokens of search."""

from __future__ import annotations

from collections.abc import Callable

from mail.query.document import Document
from mail.query.language import BadQuery, parse
from mail.query.match import Facts, in_labels, matches
from mail.query.tokens import MAX_TOKEN, fold, tokens
from mail.query.tree import Node, Not, written
from projections.search.excerpt import excerpt, matcher, wanted
from projections.search.plan import Planner


def query_seeds() -> list[bytes]:
    """Queries of every operator."""
    queries = (
        'from:ann (to:bob OR -cc:zoe) "exact phrase" word* subject:(a b)',
        "label:work in:inbox is:unread is:starred has:attachment larger:10K smaller:2M",
        "after:2024/01/01 before:2024-02-03 older_than:2d newer_than:1y",
        'rfc822msgid:<a@b.test> list:dev.example.test NOT (body:"x \\" y" AND filename:pdf)',
        "会議 über http://example.test/ -- & re: 12:30",
    )
    return [q.encode() for q in queries]


def fuzz_query(data: bytes) -> None:
    """A query is a tree that is written and read again, or a mistake inside of it."""
    query = data.decode("utf-8", "replace")
    tree = _parsed(query)
    if tree is None:
        return
    assert parse(written(tree)) == tree
    facts = Facts(
        Document((query, "", "", "", " ".join(tokens(query)), "", ""), ""),
        in_labels(["INBOX"], {"INBOX": "INBOX"}),
        is_read=False,
        is_starred=True,
        has_attachment=False,
        size=100,
        internal_date=0,
        now=10**15,
    )
    assert matches(tree, facts) != matches(Not(tree), facts)
    plan = Planner(1, lambda name: [20] if name == "work" else [], 10**15).plan(tree)
    assert plan.match is None or "\0" not in plan.match
    sought = matcher(wanted(tree))
    if sought is not None:
        parts = excerpt(f"before {query} after", sought)
        assert len(parts) % 2 == 1 or not parts


def _parsed(query: str) -> Node | None:
    mistake = -1
    try:
        return parse(query)
    except BadQuery as e:
        mistake = e.position
    assert 0 <= mistake <= len(query)
    return None


def fuzz_tokens(data: bytes) -> None:
    """Tokens are bounded, free of spaces and punctuation, and folded."""
    text = data.decode("utf-8", "surrogateescape")
    assert fold(fold(text)) == fold(text)
    for token in tokens(text):
        assert 0 < len(token) <= MAX_TOKEN
        assert not any(c.isspace() or (c.isascii() and not c.isalnum()) for c in token)
        token.encode()


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "query": (fuzz_query, query_seeds),
    "tokens": (fuzz_tokens, query_seeds),
}
