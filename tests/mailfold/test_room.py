"""The room of a mailbox is its quota less what its events add up to."""

from __future__ import annotations

from pathlib import Path

from infra.ports import Account
from mailfold.room import NO_LIMIT, MailboxRoom
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from projections.versions import NeedsRebuild
from tests.contracts.projection_mailbox import Store, feed, keys_of
from tests.histories import Histories, as_records


class OneAccount:
    def __init__(self, mailbox_id: str, quota: int) -> None:
        self._account = Account("ann@example.test", mailbox_id, 0, quota)

    def account_of(self, mailbox_id: str) -> Account | None:
        return self._account if mailbox_id == self._account.mailbox_id else None


def test_room_is_quota_less_the_size_of_what_is_visible(tmp_path: Path) -> None:
    history = Histories(3, mailboxes=1)
    path = tmp_path / "views.db"
    reader = SqliteMailboxReader(lambda: path)
    made = Store(SqliteMailboxProjection(path, keys_of(history)), reader)
    feed(made, as_records(history.events(200)))
    box = history.boxes[0]
    size = sum(m.delivered["size"] for m in box.messages if m.state == "live")
    assert size > 0
    for quota in (1, size, 1 << 40):
        room = MailboxRoom(OneAccount(box.mailbox_id, quota), reader)  # type: ignore[arg-type]
        assert room.left(box.mailbox_id) == quota - size


def test_without_a_quota_or_an_account_there_is_no_limit() -> None:
    room = MailboxRoom(OneAccount("box", 0), None)  # type: ignore[arg-type]
    assert room.left("box") == room.left("another") == NO_LIMIT


def test_mail_goes_on_while_the_count_is_built_anew() -> None:
    class Old:
        def counts(self, _: str) -> None:
            raise NeedsRebuild("of old code")

    assert MailboxRoom(OneAccount("box", 5), Old()).left("box") == NO_LIMIT  # type: ignore[arg-type]
