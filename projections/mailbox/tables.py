"""The tables of one version of the mailbox projection, and how its file is opened."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw

Value = bytes | str | int | float | None
"""What a column holds."""

FORMAT = 6
"""Raised whenever tables or fold change: a version of another format is rebuilt, never read."""

NOW = (1 << 63) - 1
"""A seq behind every seq."""

_TABLES = """
create table position(
  partition integer primary key,
  offset integer not null
);

-- What was under a seal. SQLite leaves copies of rows that it moves from page to page, which
-- secure_delete does not clear. Rows here never move: they are appended in ascending order, never
-- deleted, and overwritten where they stand with zeros of their own length.
create table text(
  row integer primary key,
  octets blob not null
);

create table mailbox(
  row integer primary key,
  id blob not null unique,
  head integer not null,
  messages integer not null,
  unread integer not null,
  size integer not null,
  ahead integer not null
);

create table label(
  mailbox integer not null,
  number integer not null,
  id text not null,
  made integer not null,
  deleted integer,
  name integer,
  color text not null,
  total integer not null,
  unread integer not null,
  last_uid integer not null,
  primary key(mailbox, number)
) without rowid;

-- query: its text; labels: identifiers, a space between them.
create table filter(
  mailbox integer not null,
  id blob not null,
  seq integer not null,
  query integer,
  labels text not null,
  archive integer not null,
  star integer not null,
  read integer not null,
  never_spam integer not null,
  primary key(mailbox, id)
) without rowid;

-- placements: msgpack [[label number, uid, since], ...], so that a page needs no other table.
create table message(
  row integer primary key,
  mailbox integer not null,
  id blob not null,
  mail_id blob not null,
  visible integer not null,
  thread_id blob,
  internal_date integer not null,
  size integer not null,
  flags text not null,
  since integer not null,
  seq integer not null,
  placements blob not null,
  received_at integer not null,
  attachment_count integer not null,
  verdict text not null,
  source text not null,
  authenticated_id blob,
  scored_id blob,
  text integer,
  header_hash integer
);

-- Within the mailbox: looking for what is another's is the same work as for what nobody has.
create unique index message_by_id on message(mailbox, id);

create index message_of_header on message(header_hash) where header_hash is not null;

-- What is listed now, in the order it is listed.
create table placed(
  mailbox integer not null,
  label integer not null,
  internal_date integer not null,
  id blob not null,
  message integer not null,
  uid integer not null,
  since integer not null,
  primary key(mailbox, label, internal_date desc, id)
) without rowid;

-- What was listed once: from since until before until.
create table past_placed(
  mailbox integer not null,
  label integer not null,
  internal_date integer not null,
  id blob not null,
  since integer not null,
  until integer not null,
  uid integer not null,
  message integer not null,
  primary key(mailbox, label, internal_date desc, id, since)
) without rowid;

create table past_state(
  mailbox integer not null,
  message integer not null,
  since integer not null,
  until integer not null,
  flags text not null,
  thread_id blob not null,
  primary key(message, since)
) without rowid;

create table gone(
  mailbox integer not null,
  label integer not null,
  seq integer not null,
  uid integer not null,
  primary key(mailbox, label, seq, uid)
) without rowid;

create table merge(
  mailbox integer not null,
  thread_id blob not null,
  seq integer not null,
  into_id blob not null,
  primary key(mailbox, thread_id, seq)
) without rowid;

create table feed(
  mailbox integer not null,
  seq integer not null,
  type text not null,
  recorded_at integer not null,
  occurred_at integer,
  event_id blob,
  message integer,
  detail blob,
  primary key(mailbox, seq)
) without rowid;

-- For conversations: their messages, now and once, and what was merged into them.
create index message_of_thread on message(mailbox, thread_id);
create index past_state_of_thread on past_state(mailbox, thread_id);
create index merge_into on merge(mailbox, into_id);

create index feed_of_message on feed(message, seq) where message is not null;
"""


def connect(path: Path, *, readonly: bool = False) -> apsw.Connection:
    """Open a version's file; a writer makes the tables of a new one.

    NORMAL loses the last commits in a power cut but never tears one: rows and position go back
    together, and the log brings them again. secure_delete, because rows hold opened seals.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (0 if readonly else apsw.SQLITE_OPEN_CREATE)
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=200)
    connection.set_busy_timeout(30_000)
    execute = connection.execute
    # No sorter of ours may spill mail into a temporary file.
    execute("pragma temp_store = memory")
    if readonly:
        execute("pragma query_only = on")
        # Every thread that reads has one; what they share is in the system's cache.
        execute("pragma cache_size = -2000")
        return connection
    execute("pragma page_size = 4096")
    execute("pragma journal_mode = wal")
    execute("pragma synchronous = normal")
    execute("pragma secure_delete = on")
    execute("pragma cache_size = -32000")
    execute("pragma wal_autocheckpoint = 4000")
    with transaction(connection):
        if connection.pragma("user_version") == 0:
            execute(_TABLES)
            execute(f"pragma user_version = {FORMAT}")
    return connection


@contextmanager
def transaction(connection: apsw.Connection, kind: str = "immediate") -> Generator[None]:
    """Run the block in a transaction (immediate, deferred); any exception rolls it back."""
    connection.execute(f"begin {kind}")
    try:
        yield
    except BaseException:
        # A full disk or a failed write has made SQLite roll back by itself.
        if not connection.get_autocommit():
            connection.execute("rollback")
        raise
    connection.execute("commit")
