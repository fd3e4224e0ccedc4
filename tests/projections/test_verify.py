from __future__ import annotations

import random

import apsw
import pytest

from projections.mailbox.sqlite_rows import plain_rows
from projections.sums import sums_of
from projections.verify import verify
from tests.projections.kit import Kit


@pytest.fixture
def followed(kit: Kit) -> Kit:
    kit.happen(600)
    kit.follow()
    return kit


def tamper(kit: Kit, statement: str) -> None:
    connection = apsw.Connection(str(kit.versions.live_file()))
    connection.execute(statement)
    assert connection.changes() > 0
    connection.close()


def test_a_live_version_equals_a_fold_of_the_log(followed: Kit) -> None:
    assert verify(followed.log, followed.versions, clock=followed.clock) is None


def test_a_live_version_that_lags_is_compared_where_it_stands(followed: Kit) -> None:
    followed.happen(100)
    followed.consumer.step(0.0)
    followed.happen(100)
    assert verify(followed.log, followed.versions, clock=followed.clock) is None


def test_nothing_is_left_of_the_scratch_store(followed: Kit) -> None:
    before = {p.name for p in followed.folder.iterdir()}
    verify(followed.log, followed.versions, clock=followed.clock)
    assert {p.name for p in followed.folder.iterdir()} - before <= {"views-mailbox-1.db-shm"}


def test_the_scratch_store_of_a_process_that_died_is_swept_away(followed: Kit) -> None:
    left = followed.folder / "views-mailbox-scratch-999999999.db"
    left.write_bytes(b"")
    verify(followed.log, followed.versions, clock=followed.clock)
    assert not left.exists()


_VISIBLE = "where row = (select min(row) from message where visible)"
CHANGES = {
    "label": "update label set last_uid = last_uid + 1 where number = 1 and mailbox = 1",
    "mailbox": "update mailbox set unread = unread + 1 where row = 1",
    "message": f"update message set flags = 'x' {_VISIBLE}",
    "placed": "update placed set uid = uid + 1 where message = (select min(message) from placed)",
    "past_placed": "update past_placed set until = until + 1 where since < 20",
    "past_state": "update past_state set flags = 'x' where since < 20",
    "gone": "update gone set uid = 0 where seq < 50",
    "merge": "update merge set into_id = zeroblob(16)",
    "feed": "update feed set recorded_at = 0 where seq = 3 and mailbox = 1",
}
CHANGES["label"] = "update label set last_uid = last_uid + 1 where number = 1 and mailbox = 1"


@pytest.mark.parametrize("table", CHANGES)
def test_a_row_that_was_changed_is_named(followed: Kit, table: str) -> None:
    tamper(followed, CHANGES[table])
    found = verify(followed.log, followed.versions, clock=followed.clock)
    assert found is not None
    assert (found.table, found.kind in ("differs", "missing", "extra")) == (table, True)


REMOVALS = {
    "message": f"delete from message {_VISIBLE}",
    "placed": "delete from placed where message = (select min(message) from placed)",
    "feed": "delete from feed where mailbox = 1 and seq = 3",
    "past_state": "delete from past_state where since < 20",
}


@pytest.mark.parametrize("table", REMOVALS)
def test_a_row_that_is_gone_is_named(followed: Kit, table: str) -> None:
    tamper(followed, REMOVALS[table])
    found = verify(followed.log, followed.versions, clock=followed.clock)
    assert found is not None
    # Rows that tell of a message by its identifier differ where its row is gone.
    assert (found.table, found.kind) in {(table, "missing"), ("feed", "differs")}


def test_a_row_too_many_is_named(followed: Kit) -> None:
    tamper(followed, "insert into gone values (1, 1, 99999, 1)")
    found = verify(followed.log, followed.versions, clock=followed.clock)
    assert found is not None
    assert (found.table, found.key, found.kind) == ("gone", (1, 99999, 1), "extra")


def test_text_that_was_changed_is_found_and_not_told(followed: Kit) -> None:
    tamper(
        followed,
        f"update message set text = x'00' {_VISIBLE}",
    )
    found = verify(followed.log, followed.versions, clock=followed.clock)
    assert found is not None
    assert (found.table, found.kind) == ("message", "differs")
    assert str(found) == (f"differs: message {found.key[0]} of mailbox {found.mailbox_id}")


def test_text_whose_key_is_destroyed_meanwhile_is_no_difference(followed: Kit) -> None:
    message = next(m for m in followed.history.boxes[0].messages if m.state == "live")
    followed.keys.destroy([message.message_id])
    assert verify(followed.log, followed.versions, clock=followed.clock) is None


def test_sums_do_not_depend_on_the_order_of_rows_but_on_their_number(followed: Kit) -> None:
    connection = apsw.Connection(str(followed.versions.live_file()))
    rows = list(plain_rows(connection))
    connection.close()
    shuffled = random.Random(1).sample(rows, len(rows))
    assert sums_of(rows) == sums_of(shuffled)
    assert sums_of([*rows, rows[0], rows[0]]) != sums_of(rows)
