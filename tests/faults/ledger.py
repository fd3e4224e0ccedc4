"""What the log of an installation holds, read from outside through `mailfold events read`."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from tests.system import System

_TOPICS = ("mail.received", "mail.authenticated", "mail.scored", "mailbox.events")
_ARRIVED = {"Delivered", "Duplicate"}


class Ledger:
    """The events of all mails and mailboxes at one time."""

    def __init__(self, system: System) -> None:
        self.of_mail: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.of_mailbox: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.repeated: Counter[str] = Counter()
        """How many records of each topic repeat an event; readers take the first one."""
        seen: set[str] = set()
        for topic in _TOPICS:
            for line in system.run("events", "read", topic, timeout=300).stdout.splitlines():
                record = json.loads(line)
                event = record["value"] | {"type": record["type"]}
                if event["event_id"] in seen:
                    self.repeated[topic] += 1
                    continue
                seen.add(event["event_id"])
                if topic == "mailbox.events":
                    self.of_mailbox[event["mailbox_id"]].append(event)
                else:
                    self.of_mail[event["mail_id"]].append(event)

    def incomplete(self) -> list[str]:
        """Return the mails that have not come to all their mailboxes."""
        arrived = {
            (mailbox, event["mail_id"])
            for mailbox, events in self.of_mailbox.items()
            for event in events
            if event["type"] in _ARRIVED
        }
        return [
            mail_id
            for mail_id, events in self.of_mail.items()
            if any((m, mail_id) not in arrived for m in events[0]["mailboxes"])
        ]

    def trace(self, mail_id: str) -> list[str]:
        """Return the types of the events that one mail had before its mailboxes, in order."""
        return [e["type"] for e in self.of_mail[mail_id]]

    def arrivals(self, mailbox_id: str) -> dict[str, list[str]]:
        """Return the types of the events of each mail in a mailbox, but for users' changes."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for event in self.of_mailbox[mailbox_id]:
            if event.get("mail_id") and event["actor"] == "mx":
                found[event["mail_id"]].append(event["type"])
        return dict(found)
