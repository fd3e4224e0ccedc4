"""A mailbox as plainly as it can be said: dictionaries, loops over everything, no engine.

It is written from what events and commands mean, to be held against the product. Threads,
labels and filters have a page each beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas import commands as c
from schemas import identity
from tests.model import naive_filters
from tests.model.letters import THREAD_OF, Letter
from tests.model.message import Message
from tests.model.naive_filters import Filter, filtered
from tests.model.naive_labels import SYSTEM, at_delivery, changed, taken, wrong
from tests.model.naive_threads import Threads
from tests.model.view import BoxView, ModelView, Seen

DAY = 86_400_000_000


class Naive:
    """Takes commands in order; `secrets` are the opened fields of label and filter commands."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}

    def apply(
        self, commands: Iterable[Any], letters: Mapping[str, Letter], secrets: Mapping[str, Any]
    ) -> None:
        named = [(self.boxes.setdefault(x.mailbox_id, Box(x.mailbox_id)), x) for x in commands]
        # A command names a thread as it is when the commands are sent.
        for box, command, thread in [(box, x, box.named(x)) for box, x in named]:
            box.take(command, thread, letters, secrets.get(command.command_id))

    def view(self) -> ModelView:
        return {m: b.view() for m, b in self.boxes.items() if b.outcomes}


class Box:
    def __init__(self, mailbox_id: str) -> None:
        self.id = mailbox_id
        self.history: list[tuple[int, str, str]] = []
        self.messages: dict[str, Message] = {}
        self.labels: dict[str, tuple[str, str]] = {}
        self.made: dict[str, int] = {}
        self.filters: dict[str, Filter] = {}
        self.threads = Threads()
        self.retries: dict[str, str] = {}
        self.outcomes: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}

    def named(self, cmd: Any) -> str:
        asked: str = getattr(cmd, "thread_id", "")
        if not asked.startswith(THREAD_OF):
            return asked
        m = self.messages.get(asked.removeprefix(THREAD_OF))
        return m.thread if m else "nowhere"

    def log(self, kind: str, message_id: str = "") -> int:
        seq = len(self.history) + 1
        self.history.append((seq, kind, message_id))
        if message_id in self.messages:
            self.messages[message_id].changed = seq
        return seq

    def take(self, cmd: Any, thread: str, letters: Mapping[str, Letter], secret: Any) -> None:
        if cmd.command_id in self.outcomes:
            return
        refused = [(i, code) for i, code in self.judge(cmd, thread, letters, secret) if code]
        self.outcomes[cmd.command_id] = (len(self.history), tuple(refused))

    def judge(
        self, cmd: Any, thread: str, letters: Mapping[str, Letter], secret: Any
    ) -> list[tuple[str, str]]:
        if isinstance(cmd, c.Deliver):
            self.deliver(cmd, letters[cmd.mail_id])
        elif isinstance(cmd, c.OpenMailbox):
            self.open()
        elif not self.history:
            return [("", "unknown-mailbox")]
        elif hasattr(cmd, "message_ids"):
            code = self.wrong(cmd, thread)
            ids = dict.fromkeys(cmd.message_ids)
            return [("", code)] if code else [(i, self.change(cmd, i, thread)) for i in ids]
        elif cmd.if_seq is not None and len(self.history) > cmd.if_seq:
            return [("", "changed")]
        elif isinstance(cmd, c.DefineFilter):
            return [("", self.define_filter(cmd, secret))]
        else:
            return [("", self.define_label(cmd, secret))]
        return []

    def open(self) -> None:
        if not self.history:
            self.log("MailboxOpened")

    # -- mail comes in

    def deliver(self, cmd: c.Deliver, letter: Letter) -> None:
        mid = identity.message_id(self.id, cmd.mail_id)
        first = self.retried(cmd, letter)
        if mid in self.messages:
            return
        if first:
            self.retries[cmd.mail_id] = first.id
            self.log("Duplicate")
            return
        self.open()
        n = self.log("Threaded", mid)
        thread = self.threads.place(letter, n, self.messages.values())
        labels, flags = at_delivery(cmd, self.labels), set(cmd.flags)
        if cmd.source != "import":
            labels, flags = filtered(cmd, letter, labels, self.filters.values(), self.made)
        placed = dict.fromkeys(labels, self.log("Labelled", mid))
        self.messages[mid] = Message(mid, n, letter, thread, placed, flags)
        self.log("Delivered", mid)

    def retried(self, cmd: c.Deliver, letter: Letter) -> Message | None:
        same = [
            m
            for m in self.messages.values()
            if "import" not in (cmd.source, m.letter.source)
            and (m.letter.text, m.letter.reverse_path) == (letter.text, letter.reverse_path)
        ]
        last = max(same, key=lambda m: (m.letter.received_at, m.n), default=None)
        near = last and abs(last.letter.received_at - letter.received_at) <= 5 * DAY
        return last if near else None

    # -- messages change

    def wrong(self, cmd: Any, thread: str) -> str:
        if isinstance(cmd, c.ChangeLabels):
            return wrong(cmd, self.labels)
        unknown = isinstance(cmd, c.MoveToThread) and thread and thread not in self.threads.begun
        return "unknown-thread" if unknown else ""

    def change(self, cmd: Any, message_id: str, thread: str) -> str:
        """Change one message, or return why it is refused."""
        m = self.messages.get(message_id)
        seen = ("live", "expunged") if isinstance(cmd, c.Restore | c.Erase) else ("live",)
        if m is None or m.state not in seen:
            return "unknown-message"
        if cmd.if_seq is not None and m.changed > cmd.if_seq:
            return "changed"
        match cmd:
            case c.ChangeLabels():
                self.change_labels(cmd, m)
            case c.MoveToThread():
                if self.threads.move(m, thread or cmd.command_id, len(self.history) + 1):
                    self.log("MovedToThread", m.id)
            case c.Teach() if m.taught != cmd.verdict:
                m.taught = cmd.verdict
                self.log("Taught", m.id)
            case c.Expunge():
                m.state, m.until = "expunged", cmd.occurred_at + cmd.window * 1_000_000
                self.log("Expunged", m.id)
            case c.Restore():
                if m.state != "expunged" or cmd.occurred_at > m.until:
                    return "not-restorable"
                m.state, m.labels = "live", dict.fromkeys(m.labels, self.log("Restored", m.id))
            case c.Erase():
                due = m.state == "expunged" and cmd.occurred_at >= m.until
                if cmd.by == "window" and not due:
                    return "not-due"
                m.state, m.taught = "erased", ""
                self.log("Erased", m.id)
            case _:
                pass
        return ""

    def change_labels(self, cmd: c.ChangeLabels, m: Message) -> None:
        then, back = changed(cmd, set(m.labels), m.back)
        flags = m.flags - set(cmd.remove_flags) | set(cmd.add_flags)
        if then != m.labels.keys() or flags != m.flags:
            uid = self.log("Labelled", m.id)
            m.labels = {x: m.labels.get(x, uid) for x in then}
            m.flags, m.back = flags, back

    # -- labels and filters

    def define_filter(self, cmd: c.DefineFilter, secret: Any) -> str:
        if cmd.deleted and cmd.filter_id not in self.filters:
            return "unknown-filter"
        code = "" if cmd.deleted else naive_filters.wrong(cmd, secret.query, self.labels)
        if not code:
            self.filters.pop(cmd.filter_id, None)
            n = self.log("FilterDefined")
            if not cmd.deleted:
                self.filters[cmd.filter_id] = (cmd, secret.query, n)
        return code

    def define_label(self, cmd: Any, secret: Any) -> str:
        label, making = cmd.label_id, isinstance(cmd, c.DefineLabel)
        if label in SYSTEM:
            return "forbidden-label"
        if making == (label in self.labels):
            return "label-exists" if making else "unknown-label"
        if isinstance(cmd, c.DeleteLabel):
            del self.labels[label], self.made[label]
            self.log("LabelDeleted")
            for m in self.messages.values():
                m.labels.pop(label, None)
                m.back.discard(label)
            return ""
        if taken(secret.name, self.labels, label):
            return "label-exists"
        if self.labels.get(label) != (secret.name, cmd.color):
            self.labels[label] = (secret.name, cmd.color)
            n = self.log("LabelDefined" if making else "LabelRenamed")
            self.made.setdefault(label, n)
        return ""

    # -- what can be seen

    def view(self) -> BoxView:
        messages = self.messages.values()
        live = [m for m in messages if m.state == "live"]
        threads = {m.thread: {x.id for x in messages if x.thread == m.thread} for m in messages}
        return BoxView(
            seq=len(self.history),
            messages={m.id: Seen(m.labels, frozenset(m.flags)) for m in live},
            threads=frozenset(frozenset(t) for t in threads.values()),
            expunged={m.id: m.until for m in messages if m.state == "expunged"},
            erased=frozenset(m.id for m in messages if m.state == "erased"),
            labels=dict(self.labels),
            filters=frozenset(self.filters),
            taught={m.id: m.taught for m in messages if m.taught},
            retries=dict(self.retries),
            history=list(self.history),
            outcomes=dict(self.outcomes),
        )
