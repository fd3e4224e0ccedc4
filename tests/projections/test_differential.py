"""What the mailbox stage makes of commands is read from the projection as the model says."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from projections.consumer import always
from projections.mailbox.ports import MailboxReader
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from tests.contracts.projection_mailbox import everything
from tests.model.driver import Driver
from tests.model.histories import history
from tests.model.naive import Naive
from tests.model.stage_rig import StageRig
from tests.model.view import BoxView, Seen


@pytest.mark.parametrize("seed", range(5000, 5020))
def test_projection_and_model_agree(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    rig = StageRig(random)
    driver, model = Driver(rig), Naive()
    path = tmp_path / "views.db"
    projection = SqliteMailboxProjection(path, rig.keys)
    reader = SqliteMailboxReader(lambda: path)
    folded = 0
    for step in history(seed):
        rig.clock.now = step.now
        model.apply(step.commands, step.letters, step.secrets)
        driver.submit(step.commands, step.letters, step.secrets)
        while folded < len(rig.recorded):
            size = min(random.randint(1, 20), len(rig.recorded) - folded)
            projection.apply(rig.recorded[folded : folded + size], always)
            folded += size
        for mailbox_id, view in model.view().items():
            _agree(reader, mailbox_id, view)
    reader.close()
    projection.close()


def _agree(reader: MailboxReader, mailbox_id: str, view: BoxView) -> None:
    rows = everything(reader, mailbox_id, include_spam=True)
    assert {
        r.message_id: Seen(dict(r.placements), frozenset(r.flags)) for r in rows
    } == view.messages
    assert all(r.has_text for r in rows)
    threads: dict[str, set[str]] = {}
    for row in rows:
        threads.setdefault(row.thread_id, set()).add(row.message_id)
    live = view.messages.keys()
    assert {frozenset(t) for t in threads.values()} == {
        frozenset(t & live) for t in view.threads if t & live
    }
    labels, head = reader.labels(mailbox_id)
    assert head == view.seq
    assert {x.label_id: (x.name, x.color) for x in labels if not x.system} == view.labels
    for label in labels:
        held = [m for m in view.messages.values() if label.label_id in m.labels]
        assert label.total == len(held)
        assert label.unread == sum("seen" not in m.flags for m in held)
    entries, _ = reader.history(mailbox_id, 0, 10_000)
    assert [(x.seq, x.type) for x in entries] == [(seq, kind) for seq, kind, _ in view.history]
    for message_id in view.expunged:
        assert reader.known(mailbox_id, message_id)
        assert reader.get(mailbox_id, message_id)[0] is None
    for message_id in view.erased:
        assert not reader.known(mailbox_id, message_id)
