"""The tables of one version of the contacts projection."""

from __future__ import annotations

from pathlib import Path

import apsw

FORMAT = 1

_TABLES = """
create table position(partition integer primary key, offset integer not null);

create table mailbox(row integer primary key, id blob not null unique, head integer not null);

-- counted: 0 while it is in SPAM.
create table message(
  row integer primary key,
  id blob not null unique,
  mailbox integer not null,
  counted integer not null
);

create table contact(
  row integer primary key,
  mailbox integer not null,
  address text not null,
  name text not null,
  messages integer not null,
  weight integer not null,
  last integer not null,
  score integer not null
);
create unique index contact_address on contact(mailbox, address);
create index contact_score on contact(mailbox, score) where messages > 0;

-- What a message adds to a contact: taken back when the message is erased.
create table mention(
  message integer not null,
  contact integer not null,
  weight integer not null,
  date integer not null,
  name text not null,
  primary key(message, contact)
) without rowid;
create index mention_of_contact on mention(contact, date);

create table word(
  mailbox integer not null,
  word text not null,
  contact integer not null,
  primary key(mailbox, word, contact)
) without rowid;
create index word_of_contact on word(contact, word);
"""


def connect(path: Path, *, readonly: bool = False) -> apsw.Connection:
    """Open a version's file; a writer makes the tables of a new one."""
    flags = apsw.SQLITE_OPEN_READWRITE | (0 if readonly else apsw.SQLITE_OPEN_CREATE)
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=100)
    connection.set_busy_timeout(30_000)
    execute = connection.execute
    execute("pragma temp_store = memory")
    if readonly:
        execute("pragma query_only = on")
        execute("pragma cache_size = -4000")
        return connection
    execute("pragma page_size = 4096")
    execute("pragma journal_mode = wal")
    execute("pragma synchronous = normal")
    execute("pragma secure_delete = on")
    execute("pragma cache_size = -16000")
    execute("begin immediate")
    if connection.pragma("user_version") == 0:
        execute(_TABLES)
        execute(f"pragma user_version = {FORMAT}")
    execute("commit")
    return connection
