"""What was erased is in no file of the projection: no page, free page, gap in a page, or log."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from tests.contracts.projection_mailbox import Store, feed, keys_of
from tests.histories import Histories, as_records


def on_disk(path: Path) -> bytes:
    return b"\n".join(p.read_bytes() for p in sorted(path.parent.glob(path.name + "*")))


@pytest.mark.parametrize("seed", range(70, 73))
def test_erased_texts_are_in_no_file(tmp_path: Path, seed: int) -> None:
    history = Histories(seed, mailboxes=3, erase_keys=False)
    path = tmp_path / "views.db"
    made = Store(SqliteMailboxProjection(path, keys_of(history)), SqliteMailboxReader(lambda: path))
    records = as_records(history.events(6_000))
    feed(made, records, lambda: 37)
    made.projection.scrub()
    data = on_disk(path)
    told: dict[str, list[bytes]] = {"erased": [], "live": [], "expunged": []}
    for box in history.boxes:
        for m in box.messages:
            told[m.state].append(m.digest.message_id_header.encode())
    assert len(told["erased"]) > 20
    assert told["live"]
    # The control: the scan finds what is there.
    assert all(x in data for x in (*told["live"], *told["expunged"]))
    assert not [x for x in told["erased"] if x in data]
    made.projection.close()
    assert not [x for x in told["erased"] if x in on_disk(path)]
