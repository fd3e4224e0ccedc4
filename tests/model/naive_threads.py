"""Which thread a mail belongs to, as plainly as it can be said.

By what it refers to, the newest first; else by subject and people; else it begins one. Threads that
a mail shows to be one are joined, and the one that began first goes on.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tests.model.letters import Letter
from tests.model.message import Message

DAY = 86_400_000_000


class Threads:
    """The threads of one mailbox."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.ids: dict[str, tuple[str, bool]] = {}  # Message-ID: its thread, whether it was moved
        self.joined: dict[str, str] = {}

    def place(self, letter: Letter, n: int, messages: Collection[Message]) -> str:
        chain = list(dict.fromkeys((*letter.references, *letter.in_reply_to)))
        chain += [letter.message_id] * bool(letter.message_id)
        hits: list[str] = []
        for name in reversed(chain):
            if name in self.ids:
                hits.append(self.ids[name][0])
                if self.ids[name][1]:
                    break
        near = [] if hits else same_subject(letter, messages)
        found = min(hits or near[:1] or [str(n)], key=lambda t: self.begun.get(t, n))
        self.begun.setdefault(found, n)
        self.join({t for t in hits if t != found}, found, messages)
        for name in chain:
            self.ids.setdefault(name, (found, False))
        return found

    def join(self, old: set[str], new: str, messages: Collection[Message]) -> None:
        self.joined.update(dict.fromkeys(old, new))
        for m in messages:
            m.thread = new if m.thread in old else m.thread
        self.ids = {k: (new if t in old else t, moved) for k, (t, moved) in self.ids.items()}

    def move(self, m: Message, target: str, seq: int) -> bool:
        """Move a message; False when it is there."""
        while target in self.joined:
            target = self.joined[target]
        if m.thread == target:
            return False
        self.begun.setdefault(target, seq)
        m.thread = target
        if m.letter.message_id:
            self.ids[m.letter.message_id] = (target, True)
        return True


def same_subject(letter: Letter, messages: Collection[Message]) -> list[str]:
    """Return the threads of mail that is alike, the nearest first."""

    def distance(m: Message) -> int:
        return abs(m.letter.dated - letter.dated)

    subject, people = base(letter.subject), {letter.author, *letter.to}
    found = [
        m
        for m in messages
        if subject and base(m.letter.subject) == subject
        and len(people & {m.letter.author, *m.letter.to}) >= 2
        and distance(m) <= 30 * DAY
    ]  # fmt: skip
    return [m.thread for m in sorted(found, key=lambda m: (distance(m), -m.n))]


def base(subject: str) -> str:
    return re.sub(r"^((re|fwd?):\s*|\[\w+\]\s*)*", "", subject.casefold()).strip()
