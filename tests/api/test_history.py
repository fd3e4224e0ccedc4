"""History, stream and trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.api.fakes import House, Stream


def test_history_tells_all_in_order_and_goes_on(house: House) -> None:
    m = house.deliver(house.ada)
    house.call("POST", f"/messages/{m}/modify", json={"removeLabelIds": ["INBOX"]})
    answer = house.get("/mailboxes/me/history?since=0")
    assert set(answer.json()) == {"events", "nextSince"}
    events = answer.json()["events"]
    assert [e["seq"] for e in events] == [1, 2, 3, 4]
    assert [e["type"] for e in events] == ["Threaded", "Labelled", "Delivered", "Labelled"]
    assert events[3]["occurredAt"] == "2023-11-14T22:13:21.000Z"
    assert events[3]["messageId"] == m
    assert events[3]["labelsRemoved"] == {"INBOX": 7}
    assert events[2]["placements"] == {"INBOX": 1}
    assert answer.json()["nextSince"] == 4
    assert answer.headers["x-mailfold-seq"] == "4"
    later = house.get("/mailboxes/me/history?since=4").json()
    assert later == {"events": [], "nextSince": 4}
    part = house.get("/mailboxes/me/history?since=1&maxResults=2").json()
    assert ([e["seq"] for e in part["events"]], part["nextSince"]) == ([2, 3], 3)


def test_of_an_erased_message_seq_and_type_are_left(house: House) -> None:
    m = house.deliver(house.ada)
    house.call("DELETE", f"/messages/{m}?erase=true")
    events = house.get("/mailboxes/me/history").json()["events"]
    assert events[:3] == [
        {"seq": 1, "type": "Threaded"},
        {"seq": 2, "type": "Labelled"},
        {"seq": 3, "type": "Delivered"},
    ]
    assert events[3]["messageId"] == m


def test_a_trace_has_all_six_events_with_stage_and_time(house: House) -> None:
    m = house.deliver(house.ada)
    events = house.get(f"/messages/{m}/trace").json()["events"]
    assert [(e["stage"], e["type"]) for e in events] == [
        ("accept", "Received"),
        ("authenticate", "Authenticated"),
        ("score", "Scored"),
        ("thread", "Threaded"),
        ("label", "Labelled"),
        ("deliver", "Delivered"),
    ]
    assert all(e["occurredAt"] and e["recordedAt"] and e["eventId"] for e in events)
    assert events[1]["dmarc"]["spfAligned"] is False


def test_a_trace_tells_neither_what_is_sealed_nor_who_else_got_it(house: House) -> None:
    m = house.deliver(house.ada, also=[house.bob])
    answer = house.get(f"/messages/{m}/trace")
    assert answer.json()["events"][0]["mailboxes"] == [house.ada.mailbox_id]
    for canary in (house.bob.mailbox_id, "canary", "192.0.2.1", "cnJy"):
        assert canary not in answer.text


def test_an_expunged_message_still_has_its_trace(house: House) -> None:
    m = house.deliver(house.ada, labels=("TRASH",))
    house.call("DELETE", f"/messages/{m}")
    assert house.get(f"/messages/{m}/trace").json()["events"][-1]["type"] == "Expunged"


# -- stream -----------------------------------------------------------------------------------


def watch(house: House, watching: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await watching

    house.runner.run(bounded())


async def seq_of_next(stream: Stream) -> int:
    frame = await stream.frame()
    assert frame is not None
    lines = dict(line.split(": ", 1) for line in frame.splitlines())
    data = json.loads(lines["data"])
    assert data["seq"] == int(lines["id"])
    assert data["type"] == lines["event"]
    return data["seq"]


def test_a_stream_begins_now_and_tells_what_comes(house: House) -> None:
    house.deliver(house.ada)

    async def watching() -> None:
        async with Stream(house, "/mailboxes/me/stream") as stream:
            headers = dict(stream.start["headers"])
            assert headers[b"content-type"].startswith(b"text/event-stream")
            assert headers[b"x-mailfold-seq"] == b"3"
            assert await stream.frame() == "retry: 2000"
            for n in range(3):
                await asyncio.to_thread(house.deliver, house.ada, name=f"late {n}")
                assert [await seq_of_next(stream) for _ in range(3)] == [
                    n * 3 + 4,
                    n * 3 + 5,
                    n * 3 + 6,
                ]

    watch(house, watching())


@pytest.mark.parametrize(
    ("path", "headers", "first"),
    [
        ("/mailboxes/me/stream", {"Last_Event_ID": "1"}, 2),
        ("/mailboxes/me/stream?since=0", {}, 1),
        ("/mailboxes/me/stream?since=0", {"Last_Event_ID": "2"}, 3),
    ],
)
def test_a_stream_resumes(house: House, path: str, headers: dict[str, str], first: int) -> None:
    house.deliver(house.ada)

    async def watching() -> None:
        async with Stream(house, path, **headers) as stream:
            await stream.frame()
            assert await seq_of_next(stream) == first

    watch(house, watching())


def test_a_stream_takes_no_other_id(house: House) -> None:
    answer = house.get("/mailboxes/me/stream", headers={"Last-Event-ID": "soon"})
    assert answer.status_code == 400


def test_a_silent_stream_is_kept_alive() -> None:
    house = House(keepalive=0.01)

    async def watching() -> None:
        async with Stream(house, "/mailboxes/me/stream") as stream:
            await stream.frame()
            assert await stream.frame() == ": keepalive"
            assert await stream.frame() == ": keepalive"

    try:
        watch(house, watching())
    finally:
        house.close()


def test_a_stream_tells_nothing_of_others(house: House) -> None:
    async def watching() -> None:
        async with Stream(house, "/mailboxes/me/stream?since=0") as stream:
            await stream.frame()
            await asyncio.to_thread(house.deliver, house.bob)
            await asyncio.to_thread(house.deliver, house.ada)
            frame = await stream.frame()
            assert frame is not None
            assert house.boxes.feed[house.ada.mailbox_id][0].event_id in frame

    watch(house, watching())


def test_a_stream_ends_with_its_token(house: House) -> None:
    async def watching() -> None:
        async with Stream(house, "/mailboxes/me/stream") as stream:
            await stream.frame()
            house.directory.grants.clear()
            house.wake.notify("view")
            assert await stream.frame() is None

    watch(house, watching())


def test_open_streams_are_counted(house: House) -> None:
    async def watching() -> None:
        async with Stream(house, "/mailboxes/me/stream") as stream:
            await stream.frame()
            assert "mailfold_streams 1.0" in (await house.ask("GET", "/metrics", None)).text
        assert "mailfold_streams 0.0" in (await house.ask("GET", "/metrics", None)).text

    watch(house, watching())


def test_streams_end_when_the_server_stops(house: House) -> None:
    async def watching() -> None:
        async with Stream(house, "/mailboxes/me/stream") as stream:
            await stream.frame()
            house.app.state.context.progress.end()
            assert await stream.frame() is None

    watch(house, watching())
