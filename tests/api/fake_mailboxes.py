"""Mailboxes in memory: a mailbox stage of a few lines, and what a projection tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from infra.ports import (
    Outcome,
    Refusal,
)
from projections.mailbox.ports import (
    BadPageToken,
    FeedEntry,
    FilterRow,
    LabelRow,
    MailboxRow,
    MessageRow,
    Page,
)
from schemas import commands as c
from schemas.identity import derived
from schemas.labels import SYSTEM_LABELS
from schemas.parts import (
    FilterSecret,
    LabelSecret,
)
from schemas.seal import unseal
from tests.fakes import FakeClock, FakeKeys


class FakeMailboxes:
    """The mailbox stage and its projection in one, simple enough to be looked through."""

    def __init__(self, clock: FakeClock, keys: FakeKeys) -> None:
        self._clock, self._keys = clock, keys
        self.feed: dict[str, list[FeedEntry]] = {}
        self.visible: dict[str, dict[str, MessageRow]] = {}
        self.expunged: dict[str, dict[str, MessageRow]] = {}
        self.user_labels: dict[str, dict[str, LabelRow]] = {}
        self.filters_of: dict[str, dict[str, FilterRow]] = {}
        self.outcomes: dict[tuple[str, str], Outcome] = {}

    # -- the stage

    def write(self, mailbox_id: str, type: str, row: MessageRow | None, **detail: object) -> int:
        feed = self.feed.setdefault(mailbox_id, [])
        now, seq = self._clock(), len(feed) + 1
        where = {} if row is None else {"message_id": row.message_id, "mail_id": row.mail_id}
        feed.append(
            FeedEntry(
                seq, type, now, now, derived("event", mailbox_id, str(seq)), **where, detail=detail
            )
        )
        return seq

    def show(self, mailbox_id: str, row: MessageRow, type: str, **detail: object) -> None:
        seq = self.write(mailbox_id, type, row, **detail)
        self.visible.setdefault(mailbox_id, {})[row.message_id] = replace(row, seq=seq)

    def judge(self, command: c.Command) -> None:
        box = command.mailbox_id
        if (box, command.command_id) in self.outcomes:
            return
        refusals: list[Refusal] = []
        match command:
            case c.DefineLabel() | c.RenameLabel():
                key = self._keys.keys[box]
                name = unseal(LabelSecret, command.sealed, key, command.command_id).name
                row = LabelRow(command.label_id, name, command.color, False, 0, 0, 1, 1)
                self.user_labels.setdefault(box, {})[command.label_id] = row
                defined = isinstance(command, c.DefineLabel)
                self.write(box, "LabelDefined" if defined else "LabelRenamed", None)
            case c.DefineFilter():
                self._filter(box, command)
            case c.DeleteLabel():
                del self.user_labels[box][command.label_id]
                self.write(box, "LabelDeleted", None, label_id=command.label_id)
            case c.ChangeLabels() | c.Expunge() | c.Erase() | c.Restore():
                for m in command.message_ids:
                    code = self._judge(box, m, command)
                    refusals += [Refusal(m, code)] if code else []
            case c.MoveToThread():
                for m in command.message_ids:
                    refusals += self._move(box, m, command)
            case _:
                raise AssertionError(command)
        self.outcomes[box, command.command_id] = Outcome(self.head(box), tuple(refusals))

    def _filter(self, box: str, command: c.DefineFilter) -> None:
        filters = self.filters_of.setdefault(box, {})
        filters.pop(command.filter_id, None)
        self.write(box, "FilterDefined", None, filter_id=command.filter_id)
        if not command.deleted:
            key = self._keys.keys[box]
            filters[command.filter_id] = FilterRow(
                command.filter_id,
                unseal(FilterSecret, command.sealed, key, command.command_id).query,
                tuple(sorted(command.labels)),
                command.archive,
                command.star,
                command.read,
                command.never_spam,
            )

    def _move(self, box: str, m: str, command: c.MoveToThread) -> list[Refusal]:
        row = self.visible.get(box, {}).get(m)
        if row is None:
            return [Refusal(m, "unknown-message")]
        known = {"", *(r.thread_id for r in self.visible[box].values())}
        if command.thread_id not in known:
            return [Refusal("", "unknown-thread")]
        target = command.thread_id or derived("thread", command.command_id)
        self.show(box, replace(row, thread_id=target), "MovedToThread")
        return []

    def _judge(self, box: str, m: str, command: c.Command) -> str:
        visible, expunged = self.visible.setdefault(box, {}), self.expunged.setdefault(box, {})
        row = visible.get(m) or expunged.get(m)
        if row is None or (m in expunged and not isinstance(command, c.Restore | c.Erase)):
            return "unknown-message"
        if command.if_seq is not None and row.seq > command.if_seq:
            return "changed"
        match command:
            case c.ChangeLabels():
                labels = (set(row.labels) | set(command.add_labels)) - set(command.remove_labels)
                flags = (set(row.flags) | set(command.add_flags)) - set(command.remove_flags)
                new = replace(
                    row,
                    labels=tuple(sorted(labels)),
                    flags=tuple(sorted(flags)),
                    is_read="seen" in flags,
                    is_starred="flagged" in flags,
                )
                if new != row:
                    self.show(
                        box,
                        new,
                        "Labelled",
                        labels_added=list(command.add_labels),
                        labels_removed=dict.fromkeys(command.remove_labels, 7),
                        flags_added=list(command.add_flags),
                    )
            case c.Expunge():
                until = command.occurred_at + command.window * 1_000_000
                self.write(box, "Expunged", row, restorable_until=until)
                expunged[m] = visible.pop(m)
            case c.Restore() if m in expunged:
                self.show(box, expunged.pop(m), "Restored")
            case c.Erase():
                visible.pop(m, None)
                expunged.pop(m, None)
                self.feed[box] = [
                    FeedEntry(e.seq, e.type) if e.message_id == m else e for e in self.feed[box]
                ]
                self.write(box, "Erased", row, by="user")
            case _:
                pass
        return ""

    def outcome(self, mailbox_id: str, command_id: str) -> Outcome | None:
        return self.outcomes.get((mailbox_id, command_id))

    # -- the projection

    def head(self, mailbox_id: str) -> int:
        return len(self.feed.get(mailbox_id, []))

    def counts(self, mailbox_id: str) -> MailboxRow:
        rows = self.visible.get(mailbox_id, {}).values()
        unread = sum(not r.is_read for r in rows)
        size = sum(r.size for r in rows)
        return MailboxRow(mailbox_id, self.head(mailbox_id), len(rows), unread, size)

    def list(
        self,
        mailbox_id: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[Page, int]:
        rows = sorted(
            (
                r
                for r in self.visible.get(mailbox_id, {}).values()
                if set(labels) <= set(r.labels)
                and (include_spam or not {"SPAM", "TRASH"} & (set(r.labels) - set(labels)))
                and (at is None or r.received_at <= at)
            ),
            key=lambda r: (-r.internal_date, r.message_id),
        )
        begin = 0
        if page_token is not None:
            if not page_token.isdigit():
                raise BadPageToken(page_token)
            begin = int(page_token)
        more = str(begin + limit) if len(rows) > begin + limit else None
        return Page(tuple(rows[begin : begin + limit]), more, len(rows)), self.head(mailbox_id)

    def get(self, mailbox_id: str, message_id: str) -> tuple[MessageRow | None, int]:
        return self.visible.get(mailbox_id, {}).get(message_id), self.head(mailbox_id)

    def get_many(
        self, mailbox_id: str, message_ids: Sequence[str]
    ) -> tuple[Mapping[str, MessageRow], int]:
        rows = self.visible.get(mailbox_id, {})
        return {i: rows[i] for i in message_ids if i in rows}, self.head(mailbox_id)

    def known(self, mailbox_id: str, message_id: str) -> bool:
        return any(message_id in x.get(mailbox_id, {}) for x in (self.visible, self.expunged))

    def filters(self, mailbox_id: str) -> tuple[Sequence[FilterRow], int]:
        return list(self.filters_of.get(mailbox_id, {}).values()), self.head(mailbox_id)

    def labels(self, mailbox_id: str) -> tuple[Sequence[LabelRow], int]:
        rows = self.visible.get(mailbox_id, {}).values()
        system = [
            LabelRow(
                x,
                x,
                "",
                True,
                sum(x in r.labels for r in rows),
                sum(x in r.labels and not r.is_read for r in rows),
                1,
                1,
            )
            for x in SYSTEM_LABELS
        ]
        users = sorted(self.user_labels.get(mailbox_id, {}).values(), key=lambda r: r.name)
        return [*system, *users], self.head(mailbox_id)

    def history(
        self, mailbox_id: str, since: int, limit: int = 500
    ) -> tuple[Sequence[FeedEntry], int]:
        feed = self.feed.get(mailbox_id, [])
        return [e for e in feed if e.seq > since][:limit], self.head(mailbox_id)

    def message_history(self, mailbox_id: str, message_id: str) -> Sequence[FeedEntry]:
        return [e for e in self.feed.get(mailbox_id, []) if e.message_id == message_id]

    def vanished(self, mailbox_id: str, label: str, since: int) -> tuple[Sequence[int], int]:
        return [], self.head(mailbox_id)
