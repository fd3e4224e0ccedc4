"""The mailbox stage's state on SQLite, in the connection and transaction of whoever hands it in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

import apsw
import msgspec
from msgspec import Struct

from infra.ports import EngineDown, Outcome, Refusal
from schemas.identity import from_bytes, to_bytes
from streams.mailbox.rows import (
    Actions,
    Candidate,
    Candidates,
    Filter,
    Label,
    Message,
    Reference,
    Retry,
    State,
    Thread,
)
from streams.mailbox.working_set import Needs, WorkingSet

DAY = 86_400_000_000
OUTCOMES_KEPT = DAY
RETRIES_KEPT = 30 * DAY
"""Longer than the window in which they count, so that late and disordered mail finds them too."""
_PRUNE_EVERY = DAY // 24

SCHEMA = """
create table if not exists box(
  id integer primary key, mailbox_id blob not null unique, head integer not null,
  recorded_at integer not null, opened integer not null);
create table if not exists box_label(
  box integer, label_id blob, made integer not null, name blob not null, color text not null,
  primary key(box, label_id)) without rowid;
create table if not exists box_filter(
  box integer, filter_id blob, seq integer not null, event_id blob not null,
  actions blob not null, sealed blob not null, primary key(box, filter_id)) without rowid;
create table if not exists box_message(
  box integer, n integer, message_id blob not null, mail_id blob not null, thread integer not null,
  state integer not null, changed integer not null, hash integer, subject integer,
  marks blob not null, origin blob not null, primary key(box, n)) without rowid;
create unique index if not exists box_message_id on box_message(box, message_id);
create table if not exists box_reference(
  box integer, hash integer, thread integer not null, moved integer not null,
  primary key(box, hash)) without rowid;
create table if not exists box_thread(
  box integer, n integer, thread_id blob not null, merged_into integer not null,
  primary key(box, n)) without rowid;
create unique index if not exists box_thread_id on box_thread(box, thread_id);
create table if not exists box_candidate(
  box integer, subject integer, n integer, thread integer not null, dated integer not null,
  participants blob not null, primary key(box, subject, n)) without rowid;
create table if not exists box_retry(
  box integer, hash blob, received_at integer not null, message_id blob not null,
  primary key(box, hash)) without rowid;
create table if not exists box_outcome(
  box integer, command_id blob, seq integer not null, recorded_at integer not null, refusals blob,
  primary key(box, command_id)) without rowid;
"""

_STATES: tuple[State, ...] = ("arriving", "live", "expunged", "erased")
_STATE_NUMBER = {state: i for i, state in enumerate(_STATES)}

_MESSAGE = (
    "select n, message_id, mail_id, thread, state, changed, hash, subject, marks, origin"
    " from box_message where box = ?1 and message_id = ?2"
)


class _Marks(Struct, array_like=True, gc=False):
    """What of a message changes often."""

    labels: dict[str, int]
    remembered: dict[str, int]
    flags: list[str]
    restorable_until: int
    taught: str


_pack = msgspec.msgpack.Encoder().encode
_unpack_actions = msgspec.msgpack.Decoder(Actions).decode
_unpack_marks = msgspec.msgpack.Decoder(_Marks).decode
_unpack_refusals = msgspec.msgpack.Decoder(list[tuple[str, str]]).decode

Row = tuple[Any, ...]


class Connection(Protocol):
    """What of an apsw connection this store uses."""

    def execute(self, statements: str, /) -> object:
        """Run statements."""
        ...

    def executemany(self, statements: str, bindings: Sequence[Row], /) -> Iterable[Row]:
        """Run a statement with each of the bindings; iterate over all rows."""
        ...


class SqliteMailboxState:
    """Satisfies MailboxState. Opens no transaction: the caller's covers it.

    One object serves one thread, as its connection does.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next_prune = 0
        connection.execute(SCHEMA)

    def outcome(self, mailbox_id: str, command_id: str) -> Outcome | None:
        """Return the outcome of a command, None while it has not been judged."""
        rows = self._rows(
            "select seq, refusals from box_outcome"
            " where box = (select id from box where mailbox_id = ?) and command_id = ?",
            (to_bytes(mailbox_id), to_bytes(command_id)),
        )
        outcomes = [_outcome(seq, refusals) for seq, refusals in rows]
        return outcomes[0] if outcomes else None

    def load(self, mailbox_id: str, needs: Needs) -> WorkingSet:
        """Return the rows of one mailbox that `needs` names. Raises EngineDown."""
        ws = WorkingSet(mailbox_id)
        for key, head, recorded_at, opened in self._rows(
            "select id, head, recorded_at, opened from box where mailbox_id = ?",
            (to_bytes(mailbox_id),),
        ):
            ws.key, ws.head, ws.recorded_at, ws.opened = key, head, recorded_at, bool(opened)
        ws.messages = dict.fromkeys(needs.messages)
        ws.references = dict.fromkeys(needs.references)
        ws.retries = dict.fromkeys(needs.retries)
        ws.outcomes = dict.fromkeys(needs.commands)
        ws.candidates = {subject: {} for subject in needs.subjects}
        ws.labels = {} if needs.labels else None
        ws.filters = {} if needs.filters else None
        if ws.key is not None:
            self._load(ws, ws.key, needs)
        return ws

    def _load(self, ws: WorkingSet, key: int, needs: Needs) -> None:
        for command_id, seq, refusals in self._each(
            "select command_id, seq, refusals from box_outcome where box = ? and command_id = ?",
            [(key, to_bytes(c)) for c in needs.commands],
        ):
            ws.outcomes[from_bytes(command_id)] = _outcome(seq, refusals)
        for row in self._each(_MESSAGE, [(key, to_bytes(m)) for m in needs.messages]):
            message = _message(row)
            ws.messages[message.message_id] = message
        for h, received_at, message_id in self._each(
            "select hash, received_at, message_id from box_retry where box = ? and hash = ?",
            [(key, h) for h in needs.retries],
        ):
            ws.retries[h] = Retry(received_at, from_bytes(message_id))
        for h, thread, moved in self._each(
            "select hash, thread, moved from box_reference where box = ? and hash = ?",
            [(key, h) for h in needs.references],
        ):
            ws.references[h] = Reference(thread, bool(moved))
        self._load_candidates(ws, key, needs)
        if needs.filters:
            ws.filters = self._filters(key)
        if needs.labels or ws.filters:
            ws.labels = self._labels(key)
        self._load_threads(ws, key, needs)

    def _load_candidates(self, ws: WorkingSet, key: int, needs: Needs) -> None:
        columns = "select subject, n, thread, dated, participants from box_candidate"
        newest = f"{columns} where box = ? and subject = ? order by n desc limit {Candidates}"
        rows = self._each(newest, [(key, s) for s in needs.subjects])
        moved = [ws.messages[m] for m in needs.moved]
        exact = f"{columns} where box = ? and subject = ? and n = ?"
        rows += self._each(
            exact, [(key, m.subject, m.n) for m in moved if m and m.subject is not None]
        )
        for subject, n, thread, dated, participants in rows:
            ws.candidates.setdefault(subject, {})[n] = Candidate(thread, dated, participants)

    def _labels(self, key: int) -> dict[str, Label]:
        rows = self._rows("select label_id, made, name, color from box_label where box = ?", (key,))
        return {from_bytes(label_id): Label(*columns) for label_id, *columns in rows}

    def _filters(self, key: int) -> dict[str, Filter]:
        rows = self._rows(
            "select filter_id, seq, event_id, actions, sealed from box_filter where box = ?",
            (key,),
        )
        return {
            from_bytes(filter_id): Filter(
                seq, from_bytes(event_id), _unpack_actions(actions), sealed
            )
            for filter_id, seq, event_id, actions, sealed in rows
        }

    def _load_threads(self, ws: WorkingSet, key: int, needs: Needs) -> None:
        columns = "select n, thread_id, merged_into from box_thread"
        for row in self._each(
            f"{columns} where box = ? and thread_id = ?",
            [(key, to_bytes(t)) for t in needs.thread_ids],
        ):
            _add_thread(ws, row)
        wanted = {m.thread for m in ws.messages.values() if m is not None}
        wanted.update(r.thread for r in ws.references.values() if r is not None)
        wanted.update(c.thread for rows in ws.candidates.values() for c in rows.values())
        wanted.update(t.merged_into for t in ws.threads.values())
        # What was merged leads to what it was merged into, and that perhaps further.
        while wanted := {n for n in wanted if n and n not in ws.threads}:
            found = self._each(f"{columns} where box = ? and n = ?", [(key, n) for n in wanted])
            for row in found:
                _add_thread(ws, row)
            wanted = {merged_into for _, _, merged_into in found}

    def save(self, sets: Sequence[WorkingSet], now: int) -> None:
        """Write what was touched, and forget what has had its time. Raises EngineDown."""
        for ws in sets:
            if ws.touched.outcomes:
                self._save(ws, self._box(ws), now)
        if now >= self._next_prune:
            self._run("delete from box_outcome where recorded_at < ?", [(now - OUTCOMES_KEPT,)])
            self._run("delete from box_retry where received_at < ?", [(now - RETRIES_KEPT,)])
            self._next_prune = now + _PRUNE_EVERY

    def _box(self, ws: WorkingSet) -> int:
        if ws.key is None:
            for (key,) in self._rows(
                "insert into box(mailbox_id, head, recorded_at, opened) values(?, ?, ?, ?)"
                " on conflict(mailbox_id) do update set head = excluded.head,"
                " recorded_at = excluded.recorded_at, opened = excluded.opened returning id",
                (to_bytes(ws.mailbox_id), ws.head, ws.recorded_at, ws.opened),
            ):
                ws.key = cast("int", key)
        else:
            self._run(
                "update box set head = ?, recorded_at = ?, opened = ? where id = ?",
                [(ws.head, ws.recorded_at, ws.opened, ws.key)],
            )
        assert ws.key is not None
        return ws.key

    def _save(self, ws: WorkingSet, key: int, now: int) -> None:
        touched = ws.touched
        self._run(
            "insert into box_message values(?,?,?,?,?,?,?,?,?,?,?)"
            " on conflict(box, n) do update set thread = excluded.thread, state = excluded.state,"
            " changed = excluded.changed,"
            " marks = excluded.marks, origin = excluded.origin",
            [_message_row(key, m) for i in touched.messages if (m := ws.messages[i]) is not None],
        )
        self._run(
            "insert or replace into box_thread values(?,?,?,?)",
            [
                (key, n, to_bytes(ws.threads[n].thread_id), ws.threads[n].merged_into)
                for n in touched.threads
            ],
        )
        self._run(
            "insert or replace into box_reference values(?,?,?,?)",
            [
                (key, h, r.thread, r.moved)
                for h in touched.references
                if (r := ws.references[h]) is not None
            ],
        )
        self._run(
            "insert or replace into box_candidate values(?,?,?,?,?,?)",
            [
                (key, subject, n, c.thread, c.dated, c.participants)
                for subject, n in touched.candidates
                for c in (ws.candidates[subject][n],)
            ],
        )
        self._run(
            "insert or replace into box_retry values(?,?,?,?)",
            [
                (key, h, r.received_at, to_bytes(r.message_id))
                for h in touched.retries
                if (r := ws.retries[h]) is not None
            ],
        )
        self._save_tables(ws, key)
        self._run(
            "insert or replace into box_outcome values(?,?,?,?,?)",
            [
                (key, to_bytes(c), o.seq, now, _refusals(o))
                for c in touched.outcomes
                if (o := ws.outcomes[c]) is not None
            ],
        )

    def _save_tables(self, ws: WorkingSet, key: int) -> None:
        labels, filters = ws.labels or {}, ws.filters or {}
        self._run(
            "delete from box_label where box = ? and label_id = ?",
            [(key, to_bytes(i)) for i in ws.touched.labels if i not in labels],
        )
        self._run(
            "insert or replace into box_label values(?,?,?,?,?)",
            [
                (key, to_bytes(i), row.made, row.name, row.color)
                for i in ws.touched.labels
                if (row := labels.get(i)) is not None
            ],
        )
        self._run(
            "delete from box_filter where box = ? and filter_id = ?",
            [(key, to_bytes(i)) for i in ws.touched.filters if i not in filters],
        )
        self._run(
            "insert or replace into box_filter values(?,?,?,?,?,?)",
            [
                (key, to_bytes(i), f.seq, to_bytes(f.event_id), _pack(f.actions), f.sealed)
                for i in ws.touched.filters
                if (f := filters.get(i)) is not None
            ],
        )

    def _rows(self, sql: str, bindings: Row) -> list[Row]:
        return self._each(sql, [bindings])

    def _each(self, sql: str, bindings: Sequence[Row]) -> list[Row]:
        """Return the rows of `sql` run with each of `bindings`."""
        if not bindings:
            return []
        try:
            return list(self._connection.executemany(sql, bindings))
        except (apsw.BusyError, apsw.IOError, apsw.FullError) as e:
            raise EngineDown(f"mailbox state: {type(e).__name__}") from e

    def _run(self, sql: str, bindings: Sequence[Row]) -> None:
        self._each(sql, bindings)


def _add_thread(ws: WorkingSet, row: Row) -> None:
    n, octets, merged_into = row
    thread_id = from_bytes(octets)
    ws.threads[n] = Thread(n, thread_id, merged_into)
    ws.thread_ids[thread_id] = n


def _message(row: Row) -> Message:
    n, message_id, mail_id, thread, state, changed, h, subject, marks, origin = row
    m = _unpack_marks(marks)
    return Message(
        n=n,
        message_id=from_bytes(message_id),
        mail_id=from_bytes(mail_id),
        thread=thread,
        state=_STATES[cast("int", state)],
        changed=changed,
        message_hash=h,
        subject=subject,
        labels=m.labels,
        remembered=m.remembered,
        flags=m.flags,
        restorable_until=m.restorable_until,
        taught=m.taught,
        origin=origin,
    )


def _message_row(key: int, m: Message) -> Row:
    marks = _Marks(m.labels, m.remembered, m.flags, m.restorable_until, m.taught)
    return (
        key,
        m.n,
        to_bytes(m.message_id),
        to_bytes(m.mail_id),
        m.thread,
        _STATE_NUMBER[m.state],
        m.changed,
        m.message_hash,
        m.subject,
        _pack(marks),
        m.origin,
    )


def _outcome(seq: int, refusals: bytes | None) -> Outcome:
    if not refusals:
        return Outcome(seq)
    return Outcome(seq, tuple(Refusal(m, code) for m, code in _unpack_refusals(refusals)))


def _refusals(outcome: Outcome) -> bytes | None:
    if not outcome.refusals:
        return None
    return _pack([(r.message_id, r.code) for r in outcome.refusals])
