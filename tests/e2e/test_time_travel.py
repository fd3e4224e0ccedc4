"""What a mailbox is at any time, told over REST, is what a replay of its events until then gives.

The replay shares nothing with the projections: it is the naive model of the tests. The numbers of
labels are held against lists, whatever happens to the messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from mailfold.settings import load
from mailfold.wiring import open_house
from schemas import mailbox_events as e
from schemas.labels import ALL, INBOX, TRASH
from schemas.topics import MAILBOX_EVENTS
from tests.contracts.projection_threads import conversations, expected, shown
from tests.e2e.people import Person
from tests.e2e.suite import ANN
from tests.projections.naive import Naive, View
from tests.system import System

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path / "data")
    made.add_account("ann")
    made.start()
    yield made
    assert made.stop() == 0


def replay_of(system: System, mailbox_id: str) -> Naive:
    """The events of a mailbox as the log has them, and the keys that are left."""
    with open_house(load(data=system.data)) as house:
        reader = house.log.reader(MAILBOX_EVENTS, {})
        events: list[e.MailboxEvent] = []
        while records := reader.poll(1000, 0.0):
            for record in records:
                event = record.decode()
                assert isinstance(event, e.MailboxEvent)
                if event.mailbox_id == mailbox_id:
                    events.append(event)
        reader.close()
        owners = {getattr(x, "message_id", mailbox_id) for x in events}
        return Naive(events, dict(house.keys.get([*owners, mailbox_id])))


def pages(api: httpx.Client, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while token is not None:
        answer = api.get(path, params={**query, "pageToken": token})
        answer.raise_for_status()
        found += answer.json()[name]
        token = answer.json()["nextPageToken"]
    return found


def agree(api: httpx.Client, view: View, at: str) -> None:
    """Lists of messages and of conversations at a time are those of the view."""
    listed = pages(
        api, "/mailboxes/me/messages", "messages", at=at, includeSpam=True, maxResults=500
    )
    assert [m["id"] for m in listed] == view.listed(include_spam=True)
    for m in listed:
        seen = view.messages[m["id"]]
        assert m["labelIds"] == sorted(seen.placements.keys() - {ALL})
        assert (m["isRead"], m["isStarred"]) == ("seen" in seen.flags, "flagged" in seen.flags)
        assert m["threadId"] == view.thread(seen)
        assert m["seq"] == seen.seq
    threads = conversations(view)
    for labels, spam in (((), False), ((), True), ((INBOX,), False), ((TRASH,), False)):
        query = {"at": at, "includeSpam": spam, "labelIds": ",".join(labels), "maxResults": 40}
        listed = pages(api, "/mailboxes/me/messages", "messages", **query)
        assert [m["id"] for m in listed] == view.listed(labels, spam)
        rows = pages(api, "/mailboxes/me/threads", "threads", **query)
        assert [t["id"] for t in rows] == expected(view, labels, spam)
        for row in rows:
            ids = shown(view, threads[row["id"]], spam)
            seen = [view.messages[i] for i in ids]
            assert row["messageCount"] == len(ids)
            assert row["unreadCount"] == sum("seen" not in m.flags for m in seen)
            assert set(row["labelIds"]) == {x for m in seen for x in m.placements} - {ALL}
    if threads:
        thread = max(threads, key=lambda t: len(threads[t]))
        found = pages(api, f"/threads/{thread}", "messages", at=at, maxResults=4)
        assert [m["id"] for m in found] == shown(view, threads[thread], False)[::-1]


def agrees_at_random_times(system: System, acts: int, times: int, seed: int) -> None:
    with system.api(ANN) as api:
        Person(system, api, ANN, seed).act(acts)
        mailbox_id = api.get("/mailboxes/me").json()["id"]
        replay = replay_of(system, mailbox_id)
        assert replay.events[-1].seq == api.get("/mailboxes/me").json()["seq"]
        random = Random(seed)
        first, last = replay.events[0].recorded_at, replay.events[-1].recorded_at
        views: dict[int, View] = {}
        for n in range(times):
            # Some times are those of events to the microsecond.
            time = random.randint(first - 10**6, last + 10**6)
            if n % 4 == 0:
                time = random.choice(replay.events).recorded_at - n % 8 // 4
            seq = max((x.seq for x in replay.events if x.recorded_at <= time), default=0)
            if seq not in views:
                views[seq] = replay.view(seq)
            agree(api, views[seq], (_EPOCH + timedelta(microseconds=time)).isoformat())


def test_the_past_over_rest_equals_a_replay_at_fifty_times(system: System) -> None:
    agrees_at_random_times(system, acts=70, times=50, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_past_over_rest_equals_a_replay_at_a_thousand_times(system: System) -> None:
    agrees_at_random_times(system, acts=1_000, times=1_000, seed=2)


def counted(api: httpx.Client) -> None:
    """Every number that is told of a label is that of the messages in its list."""
    labels = api.get("/mailboxes/me/labels").json()["labels"]
    seq = api.get("/mailboxes/me").json()["seq"]
    for row in labels:
        query = {"labelIds": row["id"], "includeSpam": True, "maxResults": 500}
        found = pages(api, "/mailboxes/me/messages", "messages", **query)
        assert row["messagesTotal"] == len(found), row
        assert row["messagesUnread"] == sum(not m["isRead"] for m in found), row
        page = api.get("/mailboxes/me/messages", params={"labelIds": row["id"], "maxResults": 1})
        assert page.json()["resultSizeEstimate"] == len(found), row
    everything = pages(api, "/mailboxes/me/messages", "messages", includeSpam=True, maxResults=500)
    counts = api.get("/mailboxes/me").json()["counts"]
    unread = sum(not m["isRead"] for m in everything)
    assert counts == {"messages": len(everything), "unread": unread}
    assert api.get("/mailboxes/me").json()["seq"] == seq, "nothing else is going on"


@pytest.mark.parametrize("seed", [3, 4])
def test_the_numbers_of_labels_are_those_of_their_lists_whatever_happens(
    system: System, seed: int
) -> None:
    with system.api(ANN) as api:
        person = Person(system, api, ANN, seed)
        for _ in range(12):
            person.act(4)
            counted(api)
