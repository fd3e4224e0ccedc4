"""Random histories of mailboxes: what doors, people and timers could ask for, wrong or right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from schemas import commands as c
from schemas import identity
from schemas.parts import FilterSecret, LabelSecret
from tests.model.letters import THREAD_OF, Letter, deliver
from tests.model.naive_filters import ASKED

MINUTE = 60_000_000
DAY = 1440 * MINUTE
START = 1_700_000_000_000_000

_PEOPLE = ("ann@a.test", "bob@b.test", "cyd@c.test", "me@example.test")
_SUBJECTS = ("Plan", "Re: plan", "[team] fw: Plan", "Lunch", "re: lunch", "")
_FLAGS = ("seen", "flagged", "answered", "later")
_QUERIES = tuple(ASKED)
_NAMES = ("Work", "work ", "Home", "Inbox", "Été")


@dataclass
class Step:
    """Commands that are submitted together, with the letters and secrets that they need."""

    now: int
    commands: list[c.Command] = field(default_factory=list[c.Command])
    letters: dict[str, Letter] = field(default_factory=dict[str, Letter])
    secrets: dict[str, LabelSecret | FilterSecret] = field(
        default_factory=dict[str, LabelSecret | FilterSecret]
    )


def history(seed: int, steps: int = 10) -> Iterator[Step]:
    """Yield the steps of the history that `seed` stands for."""
    yield from _Author(Random(seed)).write(steps)


class _Author:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = START
        self.serial = 0
        self.boxes = [self.new_id() for _ in range(random.choice((1, 1, 2)))]
        self.letters: list[Letter] = []
        self.messages: dict[str, list[str]] = {b: [] for b in self.boxes}
        self.labels: dict[str, list[str]] = {b: [self.new_id()] for b in self.boxes}
        self.filters = [self.new_id(), self.new_id()]
        self.secrets: dict[str, LabelSecret | FilterSecret] = {}
        self.recent: list[tuple[int, c.Command]] = []

    def new_id(self) -> str:
        return identity.from_bytes(self.random.randbytes(16))

    def write(self, steps: int) -> Iterator[Step]:
        for _ in range(steps):
            pace = self.random.choice((1, 10, 600, DAY // MINUTE, 3 * DAY // MINUTE))
            self.now += self.random.randint(1, pace) * MINUTE
            step = Step(self.now)
            for _ in range(self.random.choice((1, 1, 2, 4, 9))):
                step.commands.append(self.command(step))
            if self.random.random() < 0.3:
                step.commands.insert(0, self.open(self.random.choice(self.boxes), step))
            self.secrets.update(step.secrets)
            self.recent += [(self.now, command) for command in step.commands]
            yield step

    def command(self, step: Step) -> c.Command:
        young = [m for at, m in self.recent if self.now - at < DAY // 2]
        if young and self.random.random() < 0.08:
            again = self.random.choice(young)
            if isinstance(again, c.Deliver):
                step.letters[again.mail_id] = self.letter_of(again.mail_id)
            if again.command_id in self.secrets:
                step.secrets[again.command_id] = self.secrets[again.command_id]
            return again
        self.now += self.random.randint(0, MINUTE)
        box = self.random.choice(self.boxes)
        kinds = (
            *(self.deliver,) * 6,
            *(self.change,) * 6,
            *(self.move, self.expunge, self.restore) * 2,
            *(self.label,) * 3,
            self.erase,
            self.teach,
            *(self.filter,) * 2,
        )
        return self.random.choice(kinds)(box, step)

    def letter_of(self, mail_id: str) -> Letter:
        return next(x for x in self.letters if x.mail_id == mail_id)

    def head(self, box: str, actor: str = "user") -> dict[str, Any]:
        conditional = self.random.random() < 0.1
        return {
            "command_id": self.new_id(),
            "mailbox_id": box,
            "occurred_at": self.now,
            "actor": actor,
            "if_seq": self.random.randint(1, 60) if conditional else None,
        }

    def some(self, box: str) -> list[str]:
        known = self.messages[box]
        count = self.random.choice((1, 1, 1, 2, 4)) if known else 0
        picked = [self.random.choice(known[-8:]) for _ in range(count)]
        if self.random.random() < 0.05:
            picked.append(self.random.choice((self.new_id(), "no identifier")))
        return picked

    def deliver(self, box: str, step: Step) -> c.Command:
        letter = self.letter(box)
        self.letters.append(letter)
        step.letters[letter.mail_id] = letter
        self.messages[box].append(identity.message_id(box, letter.mail_id))
        return deliver(letter, box, self.new_id(), self.now)

    def letter(self, box: str) -> Letter:
        r = self.random
        if self.letters and r.random() < 0.12:
            return r.choice(self.letters)
        if self.letters and r.random() < 0.2:
            first = r.choice(self.letters)
            path = first.reverse_path if r.random() < 0.8 else "other@a.test"
            return self.fresh(text=first.text, reverse_path=path, source=first.source)
        if r.random() < 0.2:
            wanted = ["INBOX", "SENT", "ALL", "TRASH", "SPAM", *self.labels[box], self.new_id()]
            return self.fresh(
                source="import",
                labels=tuple(r.sample(wanted, r.choice((0, 1, 1, 2)))),
                flags=tuple(r.sample(_FLAGS, r.choice((0, 1, 2)))),
                verdict=r.choice(("unknown", "spam")),
            )
        return self.fresh(
            verdict=r.choice(("ham", "ham", "ham", "unknown", "spam", "phishing")),
            disposition=r.choice(("none", "none", "none", "quarantine")),
        )

    def fresh(self, **given: Any) -> Letter:
        r = self.random
        self.serial += 1
        names = [f"<{i}@a.test>" for i in range(15)]
        made: dict[str, Any] = {
            "mail_id": self.new_id(),
            "text": f"letter {self.serial}",
            "author": r.choice(_PEOPLE),
            "to": tuple(r.sample(_PEOPLE, r.choice((0, 1, 2)))),
            "subject": r.choice(_SUBJECTS),
            "message_id": r.choice((*names, "")) if r.random() < 0.9 else "",
            "in_reply_to": tuple(r.sample(names, r.choice((0, 0, 0, 1)))),
            "references": tuple(r.sample(names, r.choice((0, 0, 0, 1, 2)))),
            "received_at": self.now - r.randint(0, 5 * MINUTE),
            "dated": self.now - r.choice((0, 0, r.randint(0, 80 * DAY))),
            "attachments": tuple(r.sample(("a.txt", "b.txt"), r.choice((0, 0, 1)))),
        }
        return Letter(**{**made, **given})

    def change(self, box: str, step: Step) -> c.Command:
        r = self.random
        labels = ("INBOX", "TRASH", "SPAM", "SENT", *self.labels[box][:2])
        if r.random() < 0.05:
            labels = ("ALL", self.new_id(), *labels)
        odd = r.random() < 0.1
        chosen = r.sample(labels, r.choice((0, 1, 1, 2)))
        add = chosen if odd else chosen[:1] if r.random() < 0.6 else []
        remove = r.sample(labels, r.choice((0, 1))) if odd else [x for x in chosen if x not in add]
        flags = r.sample(_FLAGS, r.choice((0, 0, 1, 2)))
        return c.ChangeLabels(
            **self.head(box),
            message_ids=self.some(box),
            add_labels=list(add),
            remove_labels=remove,
            add_flags=flags[:1],
            remove_flags=flags[:1] if r.random() < 0.03 else flags[1:],
        )

    def move(self, box: str, step: Step) -> c.Command:
        known = [THREAD_OF + m for m in self.messages[box]]
        target = self.random.choice([*known, "", "", self.new_id()])
        return c.MoveToThread(**self.head(box), message_ids=self.some(box), thread_id=target)

    def expunge(self, box: str, step: Step) -> c.Command:
        window = self.random.choice((60, 86_400, 30 * 86_400))
        return c.Expunge(**self.head(box), message_ids=self.some(box), window=window)

    def restore(self, box: str, step: Step) -> c.Command:
        return c.Restore(**self.head(box), message_ids=self.some(box))

    def erase(self, box: str, step: Step) -> c.Command:
        by = self.random.choice(("user", "window", "window"))
        return c.Erase(**self.head(box), message_ids=self.some(box), by=by)

    def teach(self, box: str, step: Step) -> c.Command:
        verdict = self.random.choice(("ham", "spam"))
        return c.Teach(**self.head(box), message_ids=self.some(box), verdict=verdict)

    def open(self, box: str, step: Step) -> c.Command:
        return c.OpenMailbox(**self.head(box, "admin"))

    def label(self, box: str, step: Step) -> c.Command:
        r = self.random
        head = self.head(box)
        label = r.choice((*self.labels[box][:3], *self.labels[box][:2], "INBOX", self.new_id()))
        kind = r.choice((c.DefineLabel, c.DefineLabel, c.RenameLabel, c.DeleteLabel, c.DeleteLabel))
        if kind is c.DeleteLabel:
            return c.DeleteLabel(**head, label_id=label)
        if kind is c.DefineLabel and label not in self.labels[box]:
            self.labels[box].append(label)
        step.secrets[head["command_id"]] = LabelSecret(name=r.choice(_NAMES))
        return kind(**head, label_id=label, color=r.choice(("", "#ff0000")), sealed=b"")

    def filter(self, box: str, step: Step) -> c.Command:
        r = self.random
        head = self.head(box)
        step.secrets[head["command_id"]] = FilterSecret(query=r.choice((*_QUERIES, *_QUERIES, "(")))
        labels = (*self.labels[box][:2], *self.labels[box][:2], "INBOX", "TRASH", "SPAM", "ALL")
        return c.DefineFilter(
            **head,
            filter_id=r.choice(self.filters),
            labels=r.sample(labels, r.choice((0, 1, 1, 2))),
            archive=r.random() < 0.3,
            star=r.random() < 0.3,
            read=r.random() < 0.3,
            never_spam=r.random() < 0.3,
            deleted=r.random() < 0.2,
            sealed=b"",
        )
