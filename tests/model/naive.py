"""A mailbox as plainly as it can be said: dictionaries, loops over everything, no engine.

It is written from what events and commands mean, to be held against the product.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from schemas import commands as c
from schemas import identity
from schemas.parts import FilterSecret, LabelSecret
from tests.model.letters import THREAD_OF, Letter
from tests.model.view import BoxView, ModelView, Seen

DAY = 86_400_000_000
SYSTEM = {"INBOX", "SENT", "DRAFTS", "SPAM", "TRASH", "ALL"}
BINS = {"SPAM", "TRASH"}
FORGED = ("quarantine", "reject")

ASKED: dict[str, Callable[[Letter, set[str]], bool]] = {
    "from:ann": lambda x, _: x.author == "ann@a.test",
    "subject:lunch -to:bob": lambda x, _: (
        "lunch" in x.subject.casefold() and "bob@b.test" not in x.to
    ),
    "has:attachment OR in:spam": lambda x, labels: bool(x.attachments) or "SPAM" in labels,
    "letter (body:3* OR filename:b.txt) larger:7": lambda x, _: (
        len(x.text) > 7 and (" 3" in x.text or "b.txt" in x.attachments)
    ),
}
"""Queries of filters, and what they ask."""


class Naive:
    """Takes commands in order; `secrets` are the opened fields of label and filter commands."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}

    def apply(
        self,
        commands: Iterable[c.Command],
        letters: Mapping[str, Letter],
        secrets: Mapping[str, LabelSecret | FilterSecret],
    ) -> None:
        named = [(self.boxes.setdefault(m.mailbox_id, Box(m.mailbox_id)), m) for m in commands]
        for box, command in [(box, box.named(command)) for box, command in named]:
            box.take(command, letters, secrets)

    def view(self) -> ModelView:
        return {m: b.view() for m, b in self.boxes.items() if b.outcomes}


class Box:
    def __init__(self, mailbox_id: str) -> None:
        self.id = mailbox_id
        self.history: list[tuple[int, str, str]] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.labels: dict[str, tuple[str, str]] = {}
        self.made: dict[str, int] = {}
        self.filters: dict[str, tuple[c.DefineFilter, str, int]] = {}
        self.ids: dict[str, tuple[str, bool]] = {}
        self.begun: dict[str, int] = {}
        self.joined: dict[str, str] = {}
        self.retries: dict[str, str] = {}
        self.outcomes: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}

    def named(self, cmd: Any) -> Any:
        """Put a thread in the place of a message that stands for it."""
        if isinstance(cmd, c.MoveToThread) and cmd.thread_id.startswith(THREAD_OF):
            m = self.messages.get(cmd.thread_id.removeprefix(THREAD_OF))
            return msgspec.structs.replace(cmd, thread_id=m["thread"] if m else "nowhere")
        return cmd

    def take(self, cmd: Any, letters: Mapping[str, Letter], secrets: Mapping[str, Any]) -> None:
        if cmd.command_id in self.outcomes:
            return
        self.refused: list[tuple[str, str]] = []
        kind = type(cmd).__name__
        if kind == "Deliver":
            self.deliver(cmd, letters[cmd.mail_id])
        elif kind == "OpenMailbox":
            self.open()
        elif not self.history:
            self.refused.append(("", "unknown-mailbox"))
        elif hasattr(cmd, "message_ids"):
            self.each(cmd, kind)
        elif cmd.if_seq is not None and len(self.history) > cmd.if_seq:
            self.refused.append(("", "changed"))
        else:
            code = self.define(cmd, kind, secrets.get(cmd.command_id))
            if code:
                self.refused.append(("", code))
        self.outcomes[cmd.command_id] = (len(self.history), tuple(self.refused))

    def log(self, kind: str, message_id: str = "") -> int:
        self.history.append((len(self.history) + 1, kind, message_id))
        if message_id in self.messages:
            self.messages[message_id]["changed"] = len(self.history)
        return len(self.history)

    def open(self) -> None:
        if not self.history:
            self.log("MailboxOpened")

    def deliver(self, cmd: c.Deliver, letter: Letter) -> None:
        mid = identity.message_id(self.id, cmd.mail_id)
        if mid in self.messages:
            return
        same = [
            m
            for m in self.messages.values()
            if "import" not in (cmd.source, m["letter"].source)
            and (m["letter"].text, m["letter"].reverse_path) == (letter.text, letter.reverse_path)
        ]
        if same:
            last = max(same, key=lambda m: (m["letter"].received_at, m["n"]))
            if abs(last["letter"].received_at - letter.received_at) <= 5 * DAY:
                self.retries[cmd.mail_id] = last["id"]
                self.log("Duplicate")
                return
        self.open()
        n = self.log("Threaded", mid)
        thread = self.thread(letter, n)
        bad = cmd.verdict in ("spam", "phishing") or cmd.disposition in FORGED
        wanted = [x for x in cmd.labels if x in SYSTEM or x in self.labels]
        if cmd.source != "import" and bad:
            labels = {"SPAM"}
        elif BINS & set(wanted):
            labels = {"TRASH" if "TRASH" in wanted else "SPAM"}
        else:
            labels = {*(wanted or ["INBOX"]), "ALL"}
        flags = set(cmd.flags)
        if cmd.source != "import":
            labels, flags = self.filtered(cmd, letter, labels)
        uid = self.log("Labelled", mid)
        self.messages[mid] = {
            "id": mid, "n": n, "letter": letter, "thread": thread, "state": "live", "back": set(),
            "labels": dict.fromkeys(labels, uid), "flags": flags, "taught": "",
        }  # fmt: skip
        self.log("Delivered", mid)

    def filtered(
        self, cmd: c.Deliver, letter: Letter, labels: set[str]
    ) -> tuple[set[str], set[str]]:
        hits = [(f, n) for f, query, n in self.filters.values() if ASKED[query](letter, labels)]
        spared = any(f.never_spam for f, _ in hits)
        if spared and "SPAM" in labels and cmd.verdict != "phishing":
            labels = labels if cmd.disposition in FORGED else {"INBOX", "ALL"}
        if labels & BINS:
            return labels, set()
        add = {x for f, n in hits for x in f.labels if x in SYSTEM or self.made.get(x, n) < n}
        if any(f.archive for f, _ in hits):
            labels = labels - {"INBOX"}
        for label in ("TRASH",) if spared else ("TRASH", "SPAM"):
            if label in add:
                labels, add = {label}, set()
        flags = {"flagged": any(f.star for f, _ in hits), "seen": any(f.read for f, _ in hits)}
        return labels | add - {"SPAM"}, {x for x, wanted in flags.items() if wanted}

    def thread(self, letter: Letter, n: int) -> str:
        chain = list(dict.fromkeys((*letter.references, *letter.in_reply_to)))
        chain += [letter.message_id] * bool(letter.message_id)
        hits: list[str] = []
        for name in reversed(chain):
            if name in self.ids:
                hits.append(self.ids[name][0])
                if self.ids[name][1]:
                    break
        near = [] if hits else self.same_subject(letter)
        new = str(n)
        found = min(hits or near[:1] or [new], key=lambda t: self.begun.get(t, n))
        self.begun.setdefault(found, n)
        self.rename({t for t in hits if t != found}, found)
        for name in chain:
            self.ids.setdefault(name, (found, False))
        return found

    def rename(self, old: set[str], new: str) -> None:
        self.joined.update(dict.fromkeys(old, new))
        for m in self.messages.values():
            if m["thread"] in old:
                m["thread"] = new
        self.ids = {k: (new if t in old else t, moved) for k, (t, moved) in self.ids.items()}

    def same_subject(self, letter: Letter) -> list[str]:
        mine, people = base(letter.subject), {letter.author, *letter.to}
        found = [
            m
            for m in self.messages.values()
            if mine and base(m["letter"].subject) == mine
            and len(people & {m["letter"].author, *m["letter"].to}) >= 2
            and abs(m["letter"].dated - letter.dated) <= 30 * DAY
        ]  # fmt: skip
        found.sort(key=lambda m: (abs(m["letter"].dated - letter.dated), -m["n"]))
        return [m["thread"] for m in found]

    def each(self, cmd: Any, kind: str) -> None:
        code = self.wrong(cmd, kind)
        if code:
            self.refused.append(("", code))
            return
        for mid in dict.fromkeys(cmd.message_ids):
            m = self.messages.get(mid)
            gone = m is None or m["state"] == "erased"
            if gone or (m["state"] == "expunged" and kind not in ("Restore", "Erase")):
                self.refused.append((mid, "unknown-message"))
            elif cmd.if_seq is not None and m["changed"] > cmd.if_seq:
                self.refused.append((mid, "changed"))
            else:
                code = getattr(self, kind)(cmd, m)
                if code:
                    self.refused.append((mid, code))

    def wrong(self, cmd: Any, kind: str) -> str:
        if kind == "ChangeLabels":
            add, remove = set(cmd.add_labels), set(cmd.remove_labels)
            if "ALL" in add | remove:
                return "forbidden-label"
            if not add | remove <= SYSTEM | self.labels.keys():
                return "unknown-label"
            if add & remove or (len(add) > 1 and add & BINS):
                return "conflicting-labels"
            if set(cmd.add_flags) & set(cmd.remove_flags):
                return "conflicting-flags"
        if kind == "MoveToThread" and cmd.thread_id and cmd.thread_id not in self.begun:
            return "unknown-thread"
        return ""

    def ChangeLabels(self, cmd: c.ChangeLabels, m: dict[str, Any]) -> None:  # noqa: N802
        add, remove, now = set(cmd.add_labels), set(cmd.remove_labels), set(m["labels"])
        held, back = now & BINS, m["back"]
        if add & BINS:
            then = add
            gone = add & back
            back = back - add if gone else (back | (now - add))
        elif held and not add and held <= remove:
            rest = (back or {"INBOX"}) - remove
            then = rest & BINS or rest | {"ALL"}
            back = back - then if then <= BINS else set()
        elif held and not add:
            then = now
        else:
            then, back = ((now - remove - BINS) if not held else set()) | add | {"ALL"}, set()
        flags = m["flags"] - set(cmd.remove_flags) | set(cmd.add_flags)
        if then != now or flags != m["flags"]:
            uid = self.log("Labelled", m["id"])
            m["labels"] = {x: m["labels"].get(x, uid) for x in then}
            m["flags"], m["back"] = flags, back

    def MoveToThread(self, cmd: c.MoveToThread, m: dict[str, Any]) -> None:  # noqa: N802
        target = cmd.thread_id or cmd.command_id
        while target in self.joined:
            target = self.joined[target]
        if m["thread"] != target:
            self.begun.setdefault(target, self.log("MovedToThread", m["id"]))
            m["thread"] = target
            if m["letter"].message_id:
                self.ids[m["letter"].message_id] = (target, True)

    def Teach(self, cmd: c.Teach, m: dict[str, Any]) -> None:  # noqa: N802
        if m["taught"] != cmd.verdict:
            m["taught"] = cmd.verdict
            self.log("Taught", m["id"])

    def Expunge(self, cmd: c.Expunge, m: dict[str, Any]) -> None:  # noqa: N802
        m["state"], m["until"] = "expunged", cmd.occurred_at + cmd.window * 1_000_000
        self.log("Expunged", m["id"])

    def Restore(self, cmd: c.Restore, m: dict[str, Any]) -> str:  # noqa: N802
        if m["state"] != "expunged" or cmd.occurred_at > m["until"]:
            return "not-restorable"
        uid = self.log("Restored", m["id"])
        m["state"], m["labels"] = "live", dict.fromkeys(m["labels"], uid)
        return ""

    def Erase(self, cmd: c.Erase, m: dict[str, Any]) -> str:  # noqa: N802
        due = m["state"] == "expunged" and cmd.occurred_at >= m["until"]
        if cmd.by == "window" and not due:
            return "not-due"
        m["state"], m["taught"] = "erased", ""
        self.log("Erased", m["id"])
        return ""

    def define(self, cmd: Any, kind: str, secret: Any) -> str:
        if kind == "DefineFilter":
            if cmd.deleted and cmd.filter_id not in self.filters:
                return "unknown-filter"
            code = "" if cmd.deleted else self.wrong_filter(cmd, secret.query)
            if not code:
                self.filters.pop(cmd.filter_id, None)
                n = self.log("FilterDefined")
                if not cmd.deleted:
                    self.filters[cmd.filter_id] = (cmd, secret.query, n)
            return code
        label = cmd.label_id
        if label in SYSTEM:
            return "forbidden-label"
        if kind == "DefineLabel" and label in self.labels:
            return "label-exists"
        if kind != "DefineLabel" and label not in self.labels:
            return "unknown-label"
        if kind == "DeleteLabel":
            del self.labels[label], self.made[label]
            self.log("LabelDeleted")
            for m in self.messages.values():
                m["labels"].pop(label, None)
                m["back"].discard(label)
            return ""
        name = secret.name.strip().casefold()
        taken = {n.strip().casefold() for i, (n, _) in self.labels.items() if i != label}
        if name in taken or name.upper() in SYSTEM:
            return "label-exists"
        if self.labels.get(label) != (secret.name, cmd.color):
            self.labels[label] = (secret.name, cmd.color)
            n = self.log("LabelDefined" if kind == "DefineLabel" else "LabelRenamed")
            self.made.setdefault(label, n)
        return ""

    def wrong_filter(self, cmd: c.DefineFilter, query: str) -> str:
        wanted = set(cmd.labels)
        if wanted & {"ALL", "SENT", "DRAFTS"}:
            return "forbidden-label"
        if not wanted <= SYSTEM | self.labels.keys():
            return "unknown-label"
        clash = (cmd.archive and "INBOX" in wanted) or (cmd.never_spam and "SPAM" in wanted)
        if clash or (len(wanted) > 1 and wanted & BINS):
            return "conflicting-labels"
        if not (wanted or cmd.archive or cmd.star or cmd.read or cmd.never_spam):
            return "no-action"
        return "" if query in ASKED else "invalid-query"

    def view(self) -> BoxView:
        live = {i: m for i, m in self.messages.items() if m["state"] == "live"}
        threads: dict[str, set[str]] = {}
        for i, m in self.messages.items():
            threads.setdefault(m["thread"], set()).add(i)
        return BoxView(
            seq=len(self.history),
            messages={i: Seen(m["labels"], frozenset(m["flags"])) for i, m in live.items()},
            threads=frozenset(frozenset(t) for t in threads.values()),
            expunged={i: m["until"] for i, m in self.messages.items() if m["state"] == "expunged"},
            erased=frozenset(i for i, m in self.messages.items() if m["state"] == "erased"),
            labels=dict(self.labels),
            filters=frozenset(self.filters),
            taught={i: m["taught"] for i, m in self.messages.items() if m["taught"]},
            retries=dict(self.retries),
            history=list(self.history),
            outcomes=dict(self.outcomes),
        )


def base(subject: str) -> str:
    return re.sub(r"^((re|fwd?):\s*|\[\w+\]\s*)*", "", subject.casefold()).strip()
