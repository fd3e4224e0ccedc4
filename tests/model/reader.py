"""A reader of `mailbox.events` and nothing else, as a projection is one; it checks as it reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from infra.ports import KeyStore
from schemas import mailbox_events as e
from schemas.parts import Digest, FilterSecret, LabelSecret
from schemas.seal import unseal
from tests.model.view import BoxView, Seen

_LABELS_WITHOUT_ALL = ({"SPAM"}, {"TRASH"})


class Reader:
    """Folds the events of one mailbox into what can be seen."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._at = 0
        self._identities: set[str] = set()
        self._merged: dict[str, str] = {}
        self._arriving: dict[str, Seen] = {}
        self._had: dict[str, Seen] = {}
        self.thread: dict[str, str] = {}
        self.causes: set[str] = set()
        self.view = BoxView()

    def read(self, event: e.MailboxEvent) -> None:
        view = self.view
        assert event.seq == view.seq + 1, "seq has a gap"
        assert event.recorded_at >= self._at, "time runs backwards"
        assert event.event_id not in self._identities, "an identity was used twice"
        view.seq, self._at = event.seq, event.recorded_at
        self._identities.add(event.event_id)
        self.causes.add(event.caused_by)
        message_id: str = getattr(event, "message_id", "")
        view.history.append((event.seq, type(event).__name__, message_id))
        match event:
            case e.Threaded():
                self.thread[message_id] = event.thread_id
                self._merged.update(dict.fromkeys(event.merged, event.thread_id))
            case e.Labelled():
                self._labelled(event)
            case e.Delivered():
                seen = self._arriving.pop(message_id)
                assert seen == _seen(event), "Delivered differs from its Labelled"
                assert event.thread_id == self.root(message_id)
                self._opens(event)
                view.messages[message_id] = seen
            case e.Restored():
                assert {p.uid for p in event.placements} == {event.seq}
                assert set(_seen(event).labels) == set(self._had[message_id].labels)
                assert event.thread_id == self.root(message_id)
                self._opens(event)
                del view.expunged[message_id]
                view.messages[message_id] = _seen(event)
            case e.Expunged():
                self._had[message_id] = view.messages.pop(message_id)
                assert _seen(event) == self._had[message_id]
                view.expunged[message_id] = event.restorable_until
            case e.Erased():
                view.messages.pop(message_id, None)
                view.expunged.pop(message_id, None)
                view.taught.pop(message_id, None)
                view.erased |= {message_id}
            case e.MovedToThread():
                assert event.from_thread_id == self.root(message_id)
                self.thread[message_id] = event.thread_id
            case e.Duplicate():
                view.retries[event.mail_id] = event.original_message_id
            case e.Taught():
                view.taught[message_id] = event.verdict
            case e.LabelDefined() | e.LabelRenamed():
                key = self._keys.get([event.mailbox_id])[event.mailbox_id]
                name = unseal(LabelSecret, event.sealed, key, event.event_id).name
                view.labels[event.label_id] = (name, event.color)
            case e.LabelDeleted():
                del view.labels[event.label_id]
                for seen in (*view.messages.values(), *self._had.values()):
                    seen.labels.pop(event.label_id, None)
            case e.FilterDefined():
                key = self._keys.get([event.mailbox_id])[event.mailbox_id]
                if not event.deleted:
                    unseal(FilterSecret, event.sealed, key, event.event_id)
                gone = {event.filter_id} if event.deleted else frozenset[str]()
                view.filters = (view.filters | {event.filter_id}) - gone
            case _:
                assert isinstance(event, e.MailboxOpened)

    def _labelled(self, event: e.Labelled) -> None:
        arriving = event.message_id not in self.view.messages
        seen = Seen({}, frozenset()) if arriving else self.view.messages[event.message_id]
        was_read = "seen" in seen.flags
        removed = {p.label: p.uid for p in event.labels_removed}
        assert removed.items() <= seen.labels.items(), "a removed label has another UID"
        assert not set(event.labels_added) & set(seen.labels), "an added label was there"
        assert not set(event.flags_added) & seen.flags
        assert set(event.flags_removed) <= seen.flags
        labels = {k: v for k, v in seen.labels.items() if k not in removed}
        labels.update(dict.fromkeys(event.labels_added, event.seq))
        flags = (seen.flags - set(event.flags_removed)) | set(event.flags_added)
        assert ("ALL" in labels) != (set(labels) in _LABELS_WITHOUT_ALL)
        is_read = "seen" in flags
        unread = (0 if is_read else 1) if arriving else was_read - is_read
        assert event.unread_changed == unread
        now = Seen(labels, frozenset(flags))
        (self._arriving if arriving else self.view.messages)[event.message_id] = now

    def _opens(self, event: e.Delivered | e.Restored) -> None:
        key = self._keys.get([event.message_id])[event.message_id]
        digest = unseal(Digest, event.sealed, key, event.event_id)
        assert event.attachment_count == len(digest.parts)
        assert bool(digest.trace) == (event.source != "import"), (event.source, digest)

    def root(self, message_id: str) -> str:
        """Return the thread of a message, through merges."""
        thread = self.thread[message_id]
        while thread in self._merged:
            thread = self._merged[thread]
        return thread

    def finished(self, outcomes: Mapping[str, tuple[int, tuple[tuple[str, str], ...]]]) -> BoxView:
        """Return what was read, with outcomes from wherever they are kept."""
        threads: dict[str, set[str]] = {}
        for message_id in self.thread:
            threads.setdefault(self.root(message_id), set()).add(message_id)
        view = self.view
        return dataclasses.replace(
            view,
            threads=frozenset(frozenset(t) for t in threads.values()),
            outcomes=dict(outcomes),
            # Copies, for reading on changes the others in place.
            messages={m: Seen(dict(s.labels), s.flags) for m, s in view.messages.items()},
            expunged=dict(view.expunged),
            labels=dict(view.labels),
            taught=dict(view.taught),
            retries=dict(view.retries),
            history=list(view.history),
        )


def _seen(event: e.Delivered | e.Restored | e.Expunged) -> Seen:
    return Seen({p.label: p.uid for p in event.placements}, frozenset(event.flags))
