"""The mailbox as events.md tells it, by replaying everything for every question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import mailbox_events as e
from schemas.identity import message_id as message_id_of
from schemas.labels import ALL, SEEN, SPAM, SYSTEM_LABELS, TRASH
from schemas.parts import Digest, FilterSecret, LabelSecret
from schemas.seal import unseal


@dataclass
class Seen:
    """What a reader sees of a message."""

    mail_id: str
    thread: str
    told: e.Delivered | e.Restored
    placements: dict[str, int]
    flags: set[str]
    seq: int
    date: int


@dataclass
class View:
    """A mailbox as of a seq."""

    messages: dict[str, Seen] = field(default_factory=dict[str, Seen])
    labels: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    filters: dict[str, tuple[e.FilterDefined, str]] = field(
        default_factory=dict[str, tuple[e.FilterDefined, str]]
    )
    merges: dict[str, str] = field(default_factory=dict[str, str])
    vanished: dict[str, list[tuple[int, int]]] = field(
        default_factory=dict[str, list[tuple[int, int]]]
    )

    def thread(self, message: Seen) -> str:
        thread, passed = message.thread, set[str]()
        while thread in self.merges and thread not in passed:
            passed.add(thread)
            thread = self.merges[thread]
        return thread

    def listed(self, labels: Sequence[str] = (), include_spam: bool = False) -> list[str]:
        """Return the messages in the order of a list."""

        def wanted(placed: Mapping[str, int]) -> bool:
            if labels:
                return all(x in placed for x in labels)
            return include_spam or not placed.keys() & {SPAM, TRASH}

        found = [(-m.date, i) for i, m in self.messages.items() if wanted(m.placements)]
        return [i for _, i in sorted(found)]

    def unread(self, label: str) -> int:
        return sum(SEEN not in m.flags for m in self.messages.values() if label in m.placements)


class Naive:
    """All events of one mailbox, and the keys that are left."""

    def __init__(self, events: Sequence[e.MailboxEvent], keys: Mapping[str, bytes]) -> None:
        self.events = list(events)
        self.keys = keys
        self.erased: dict[str, int] = {
            event.message_id: event.seq for event in events if isinstance(event, e.Erased)
        }

    def gone(self, event: e.MailboxEvent) -> bool:
        """Say whether an event speaks of a message that was erased later."""
        erased = self.erased.get(getattr(event, "message_id", ""), 0)
        return event.seq <= erased

    def view(self, seq: int, *, keep_erased: bool = False) -> View:
        """Return the mailbox as of `seq`; messages erased by now are absent from the past too."""
        view = View()
        for event in self.events:
            if event.seq <= seq:
                self._step(view, event, hidden=self.gone(event) and not keep_erased)
        return view

    def _step(self, view: View, event: e.MailboxEvent, hidden: bool) -> None:
        match event:
            case e.MailboxOpened():
                for label in SYSTEM_LABELS:
                    view.labels[label] = {"name": label, "color": "", "made": event.seq, "uid": 0}
            case e.LabelDefined() | e.LabelRenamed():
                secret = unseal(
                    LabelSecret, event.sealed, self.keys[event.mailbox_id], event.event_id
                )
                row = view.labels.setdefault(event.label_id, {"made": event.seq, "uid": 0})
                row.update(name=secret.name, color=event.color)
            case e.LabelDeleted():
                del view.labels[event.label_id]
                view.vanished.pop(event.label_id, None)
                for m in view.messages.values():
                    m.placements.pop(event.label_id, None)
            case e.FilterDefined():
                view.filters.pop(event.filter_id, None)
                if not event.deleted:
                    key = self.keys[event.mailbox_id]
                    query = unseal(FilterSecret, event.sealed, key, event.event_id).query
                    view.filters[event.filter_id] = (event, query)
            case e.Threaded():
                for thread in event.merged:
                    view.merges[thread] = event.thread_id
            case e.Delivered() | e.Restored():
                for p in event.placements:
                    view.labels[p.label]["uid"] = max(view.labels[p.label]["uid"], p.uid)
                if not hidden:
                    view.messages[event.message_id] = Seen(
                        event.mail_id,
                        event.thread_id,
                        event,
                        {p.label: p.uid for p in event.placements},
                        set(event.flags),
                        event.seq,
                        event.internal_date,
                    )
            case e.Labelled():
                self._labelled(view, event)
            case e.MovedToThread():
                if event.message_id in view.messages:
                    view.messages[event.message_id].thread = event.thread_id
                    view.messages[event.message_id].seq = event.seq
            case e.Taught():
                if event.message_id in view.messages:
                    view.messages[event.message_id].seq = event.seq
            case e.Expunged() | e.Erased():
                self._left(view, event.seq, {p.label: p.uid for p in event.placements})
                view.messages.pop(event.message_id, None)
            case _:
                pass

    def _labelled(self, view: View, event: e.Labelled) -> None:
        first = next(
            x.seq
            for x in self.events
            if isinstance(x, e.Delivered) and x.message_id == event.message_id and x.seq > 0
        )
        if event.seq > first and self._was_visible(event):
            for label in event.labels_added:
                view.labels[label]["uid"] = max(view.labels[label]["uid"], event.seq)
            self._left(view, event.seq, {p.label: p.uid for p in event.labels_removed})
        m = view.messages.get(event.message_id)
        if m is None:
            return
        for p in event.labels_removed:
            m.placements.pop(p.label, None)
        m.placements.update(dict.fromkeys(event.labels_added, event.seq))
        m.flags = (m.flags | set(event.flags_added)) - set(event.flags_removed)
        m.seq = event.seq

    def _was_visible(self, event: e.Labelled) -> bool:
        visible = False
        for x in self.events:
            if x.seq >= event.seq:
                break
            if getattr(x, "message_id", None) == event.message_id:
                if isinstance(x, e.Delivered | e.Restored):
                    visible = True
                elif isinstance(x, e.Expunged | e.Erased):
                    visible = False
        return visible

    def _left(self, view: View, seq: int, placements: Mapping[str, int]) -> None:
        for label, uid in placements.items():
            if label in view.labels:
                view.vanished.setdefault(label, []).append((seq, uid))

    def digest(self, told: e.Delivered | e.Restored) -> Digest | None:
        """Return what a message's seal holds, None when its key is gone."""
        key = self.keys.get(told.message_id)
        return None if key is None else unseal(Digest, told.sealed, key, told.event_id)

    def feed(self) -> list[tuple[int, str, str | None]]:
        """Return (seq, type, message) of each entry; of erased messages seq and type only."""
        rows: list[tuple[int, str, str | None]] = []
        for event in self.events:
            message_id = getattr(event, "message_id", None)
            if isinstance(event, e.Duplicate):
                message_id = message_id_of(event.mailbox_id, event.mail_id)
            elif self.gone(event) and not isinstance(event, e.Erased):
                message_id = None
            rows.append((event.seq, type(event).__name__, message_id))
        return rows


ALL_SOURCES = ((), (ALL,), (SPAM,), (TRASH,), ("INBOX",), ("SENT",), ("INBOX", ALL))
