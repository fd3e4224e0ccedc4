"""The tables of one version of search in SQLite, and how its file is opened.

Words are in FTS5 tables without content: they hold the tokens alone, cut at spaces. A document's
row begins with its internal date, so the newest match is the last one of a list of rows and no
match is sorted. Labels and flags are rows of their own: they change, and the words do not.

There is a table of words for every few thousand documents, in the order in which they came. What
FTS5 does as a whole before it gives the first row (a prefix), or has to look through (a phrase of
common words), and what an erasure rewrites, is thus bounded however large the mailbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import cast

import apsw

from projections.mailbox.tables import transaction

FORMAT = 3
"""Raised whenever tables, fold or tokens change: a version of another format is rebuilt."""

FTS_COLUMNS = ("author", "recipient", "cc", "subject", "body", "filename", "list")
"""The columns of words in the order of COLUMNS; `meta` behind them has our own tokens."""

SHARD = 4096
"""Documents of one table of words: so few that the worst prefix takes some 15 ms, so many that a
million have no more than 245 tables, in each of which a word that nobody wrote is looked for."""

_TABLES = """
create table position(
  partition integer primary key,
  offset integer not null
);

create table mailbox(
  row integer primary key,
  id blob not null unique,
  head integer not null,
  messages integer not null
);

create table label(
  mailbox integer not null,
  number integer not null,
  id text not null,
  name text not null,
  deleted integer not null,
  total integer not null,
  primary key(mailbox, number)
) without rowid;

-- low, high: rows between which all of its documents are; mailbox: null when they are of several;
-- merged: it is full, and all of it is one segment; unclean: 1, some of its documents were
-- deleted, 2, their words went from it, but not yet from the file;
-- cleaned: how often the words of such were cleared away.
create table shard(
  number integer primary key,
  docs integer not null,
  low integer not null,
  high integer not null,
  mailbox integer,
  merged integer not null,
  unclean integer not null,
  cleaned integer not null
);

-- The filters of full shards, a row for each part.
create table neighbours(
  id integer primary key,
  bits blob not null
);

-- labels: msgpack [number, ...]; hash: of what is indexed, null when the message has no text.
create table doc(
  mailbox integer not null,
  row integer not null,
  id blob not null,
  mail_id blob not null,
  internal_date integer not null,
  size integer not null,
  bits integer not null,
  labels blob not null,
  shard integer not null,
  hash blob,
  primary key(mailbox, row)
) without rowid;

create unique index doc_by_id on doc(id);

create unique index doc_by_row on doc(row);

create table placed(
  mailbox integer not null,
  label integer not null,
  row integer not null,
  primary key(mailbox, label, row)
) without rowid;
"""

_WORDS = f"""
create virtual table {{words}} using fts5(
  {", ".join(FTS_COLUMNS)}, meta, content = '', contentless_delete = 1, tokenize = 'ascii'
)
"""

# What a transaction adds is gathered in memory up to `hashsize` octets and then written as one
# segment, so a batch is one; twelve segments of a size are merged at once, since a shard that is
# full is merged as a whole anyway and each merge before that is work done again.
_FTS_OPTIONS = {"hashsize": 32 << 20, "automerge": 12}

_TOGETHER = 100_000
"""Words that are read from a shard at once."""

_MS_BITS = 42
_COUNTER_BITS = 20
LAST_ROW = (1 << _MS_BITS + _COUNTER_BITS) - 1


def first_row(micros: int) -> int:
    """Return the lowest row of a millisecond; dates that no row can hold go to the ends."""
    bound = 1 << _MS_BITS
    ms = micros // 1000
    return max(1 - bound, min(ms, bound - 1)) << _COUNTER_BITS


def next_first_row(row: int) -> int:
    """Return the lowest row of the millisecond after that of `row`."""
    return (row >> _COUNTER_BITS) + 1 << _COUNTER_BITS


def words_of(shard: int) -> str:
    """Return the name of the table of words of a shard."""
    return f"words_{shard}"


def make_words(connection: apsw.Connection, shard: int) -> None:
    """Make the table of words of a shard, inside the caller's transaction."""
    words = words_of(shard)
    connection.execute(_WORDS.format(words=words))
    for name, value in _FTS_OPTIONS.items():
        connection.execute(f"insert into {words}({words}, rank) values (?,?)", (name, value))


def words_in(connection: apsw.Connection, shard: int) -> Iterator[str]:
    """Yield the words of a shard's documents in their order, from what its table keeps of them.

    Each text begins with the last word of the one before. Takes a second or two for a full shard.
    """
    execute = connection.execute
    execute("drop table if exists temp.places")
    execute(f"create virtual table temp.places using fts5vocab(main, {words_of(shard)}, instance)")
    found = execute("select term from places where col <> 'meta' order by doc, col, offset")
    words = (cast("str", term) for (term,) in found)
    last = ""
    while some := list(islice(words, _TOGETHER)):
        yield " ".join((last, *some))
        last = some[-1]


def mailbox_token(row: int) -> str:
    """Return the token of a mailbox; no text has it."""
    return f"\ue000{row}"


def message_id_token(value: str) -> str:
    """Return the token of a Message-ID; no text has it."""
    digest = blake2b(value.encode("utf-8", "replace"), digest_size=12).hexdigest()
    return f"\ue002{digest}"


def connect(path: Path, *, readonly: bool = False) -> apsw.Connection:
    """Open a version's file; a writer makes the tables of a new one.

    As for the mailbox NORMAL, since the log brings again what a power cut takes. Merges free pages
    all the time; to clear each would double what is written, so `scrub` clears them together.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (0 if readonly else apsw.SQLITE_OPEN_CREATE)
    # Each shard has its own statement.
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=600)
    # Else SQLite, built to plan by samples, prepares it anew for each value that is bound.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.set_busy_timeout(30_000)
    execute = connection.execute
    # No sorter of ours may spill mail into a temporary file.
    execute("pragma temp_store = memory")
    if readonly:
        execute("pragma query_only = on")
        execute("pragma cache_size = -8000")
        return connection
    execute("pragma page_size = 4096")
    execute("pragma journal_mode = wal")
    execute("pragma synchronous = normal")
    execute("pragma secure_delete = fast")
    execute("pragma cache_size = -64000")
    execute("pragma wal_autocheckpoint = 4000")
    with transaction(connection):
        if connection.pragma("user_version") == 0:
            execute(_TABLES)
            execute(f"pragma user_version = {FORMAT}")
    return connection
