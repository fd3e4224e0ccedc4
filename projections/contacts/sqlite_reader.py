"""The contacts reader over SQLite: each read is one snapshot of the version that is live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import apsw

from projections.contacts.people import words_asked
from projections.contacts.ports import ContactRow
from projections.contacts.tables import connect
from projections.mailbox.sqlite_load import octets
from projections.mailbox.sqlite_reader import Snapshots

_FEW = 400
"""So many that begin with a word are sorted; of more, the best contacts are tried in order."""

_FEW_OF_SEVERAL = 3_000
"""The same where several words are asked for: few contacts have all of them, however good."""

_TRIED = 2_000
"""Contacts tried in order before all that match are sorted after all."""

_COUNTED = 12_000
"""Where several words are asked for, what a word finds is counted so far."""

_MANY_TIMES = 4
"""A word that finds so many times what the rarest does is looked up for each contact of that."""

_NEVER = -(1 << 62)
_SHOWN = "c.address, c.name, c.messages, c.last"
_LAST = "\U0010ffff"
_BEGINS = "w.word >= ? and w.word < ?"


class SqliteContactReader:
    """Port ContactReader; for any number of threads, each read on a connection of its own."""

    def __init__(self, live: Callable[[], Path]) -> None:
        """`live` names the file of the live version; it is asked at every read."""
        self._snapshots = Snapshots(live, lambda path: connect(path, readonly=True))

    def close(self) -> None:
        """Close the connections that no read uses."""
        self._snapshots.close()

    def find(
        self, mailbox_id: str, query: str, limit: int = 10
    ) -> tuple[Sequence[ContactRow], int]:
        """Return the best contacts first, and the seq of the last event that they rest on."""
        with self._snapshots.take() as connection:
            found = connection.execute(
                "select row, head from mailbox where id = ?", (octets(mailbox_id),)
            ).fetchone()
            if found is None:
                return [], 0
            box, head = cast("tuple[int, int]", found)
            rows = _find(connection, box, words_asked(query), limit)
        return [ContactRow(*row) for row in rows], head


def _find(
    connection: apsw.Connection, box: int, words: list[str], limit: int
) -> list[tuple[str, str, int, int]]:
    execute = connection.execute

    def many(word: str) -> int:
        found = execute(
            "select count(*) from"
            f" (select 1 from word w where w.mailbox = ? and {_BEGINS} limit ?)",
            (box, word, word + _LAST, most),
        ).fetchone()
        return cast("int", found[0]) if found else 0

    few, most = (_FEW, _FEW) if len(words) == 1 else (_FEW_OF_SEVERAL, _COUNTED)
    counts = sorted((many(word), word) for word in words)
    if counts and counts[0][0] < few:
        return _sorted(connection, box, counts, limit)
    begins = [x for w in words for x in (w, w + _LAST)]
    has = f" and exists (select 1 from word w where w.contact = c.row and {_BEGINS})"
    # The index gives them best first, and the limit ends the walk.
    least = execute(
        "select score from contact where mailbox = ? and messages > 0"
        " order by score desc limit 1 offset ?",
        (box, _TRIED),
    ).fetchone()
    bindings: list[Any] = [box, least[0] if least else _NEVER, *begins, limit]
    rows = execute(
        f"select {_SHOWN} from contact c indexed by contact_score where c.mailbox = ?"
        f" and c.messages > 0 and c.score >= ?{has * len(words)} order by c.score desc limit ?",
        bindings,
    ).fetchall()
    if words and len(rows) < limit:
        return _sorted(connection, box, counts, limit)
    return cast("list[tuple[str, str, int, int]]", rows)


def _sorted(
    connection: apsw.Connection, box: int, counts: Sequence[tuple[int, str]], limit: int
) -> list[tuple[str, str, int, int]]:
    """Return the best of all that match; `counts` are how many a word finds, ascending."""
    (fewest, rarest), *others = counts
    # To make the set of a word's contacts costs less than to look each of as many up.
    sets = [rarest, *(w for n, w in others if n < min(_MANY_TIMES * fewest, _COUNTED))]
    looked = [w for _, w in others if w not in sets]
    one = f"select w.contact from word w where w.mailbox = ? and {_BEGINS}"
    has = f" and exists (select 1 from word w where w.contact = c.row and {_BEGINS})"
    rows = connection.execute(
        f"select {_SHOWN} from contact c where c.messages > 0 and c.row in"
        f" ({' intersect '.join([one] * len(sets))}){has * len(looked)}"
        " order by c.score desc, c.row desc limit ?",
        (
            *(x for w in sets for x in (box, w, w + _LAST)),
            *(x for w in looked for x in (w, w + _LAST)),
            limit,
        ),
    ).fetchall()
    return cast("list[tuple[str, str, int, int]]", rows)
