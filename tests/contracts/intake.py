"""What every intake does, on the stores of any engine."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import pytest

from infra.ports import (
    Arrival,
    EngineDown,
    EventLog,
    Intake,
    KeyStore,
    KeyTaken,
    Output,
    PartStore,
)
from schemas.identity import derived
from schemas.topics import MAIL_RECEIVED
from tests.contracts.log import mail_id, read, read_rest
from tests.contracts.parts import part


class Closable(Intake, Protocol):
    """An intake that can be closed."""

    def close(self) -> None: ...


class Stores(Protocol):
    """An intake and the stores behind it."""

    intake: Closable
    parts: PartStore
    keys: KeyStore
    log: EventLog


def key(n: int) -> bytes:
    return (n + 1).to_bytes(4, "big") * 8


def arrival(n: int, size: int = 100, with_parts: int = 0) -> Arrival:
    return Arrival(
        received=Output(
            MAIL_RECEIVED,
            mail_id(n),
            "Received",
            derived("event", "received", str(n)),
            b"%d " % n + b"x" * size,
        ),
        mail_id=mail_id(n),
        key=key(n),
        parts=dict(part(n * 100 + p) for p in range(with_parts)),
    )


def run(coroutine: Coroutine[Any, Any, Any]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 60))


class IntakeContract:
    """Port Intake."""

    @pytest.fixture
    def stores(self) -> Stores:
        raise AssertionError("the adapter's test gives an intake and what is behind it")

    def test_an_accepted_mail_is_in_the_log(self, stores: Stores) -> None:
        run(stores.intake.accept(arrival(1)))
        (record,) = read(stores.log, MAIL_RECEIVED, 1)
        assert (record.key, record.value) == (mail_id(1), arrival(1).received.value)

    def test_an_accepted_mail_has_its_key_and_parts(self, stores: Stores) -> None:
        given = arrival(1, with_parts=3)
        run(stores.intake.accept(given))
        assert stores.keys.get([given.mail_id]) == {given.mail_id: given.key}
        assert {n: stores.parts.get(n) for n in given.parts} == given.parts

    def test_mails_of_many_sessions_are_all_accepted(self, stores: Stores) -> None:
        async def sessions() -> None:
            async def session(s: int) -> None:
                for n in range(10):
                    await stores.intake.accept(arrival(s * 10 + n))

            await asyncio.gather(*(session(s) for s in range(20)))

        run(sessions())
        records = read(stores.log, MAIL_RECEIVED, 200)
        assert sorted(r.key for r in records) == sorted(mail_id(n) for n in range(200))
        assert len(stores.keys.get([mail_id(n) for n in range(200)])) == 200

    def test_the_same_mail_with_another_key_is_refused_alone(self, stores: Stores) -> None:
        first = arrival(1)
        forged = Arrival(first.received, first.mail_id, key(77), {})

        async def sessions() -> Sequence[BaseException | None]:
            await stores.intake.accept(first)
            return await asyncio.gather(
                stores.intake.accept(arrival(2)),
                stores.intake.accept(forged),
                stores.intake.accept(arrival(3)),
                return_exceptions=True,
            )

        results = asyncio.run(sessions())
        assert [type(r) for r in results] == [type(None), KeyTaken, type(None)]
        assert stores.keys.get([mail_id(1)]) == {mail_id(1): first.key}
        records = read(stores.log, MAIL_RECEIVED, 3)
        assert sorted(r.key for r in records) == [mail_id(1), mail_id(2), mail_id(3)]

    def test_closing_makes_durable_what_waits(self, stores: Stores) -> None:
        async def sessions() -> Sequence[BaseException | None]:
            waiting = [asyncio.ensure_future(stores.intake.accept(arrival(n))) for n in range(50)]
            await asyncio.sleep(0)
            await asyncio.to_thread(stores.intake.close)
            return await asyncio.gather(*waiting, return_exceptions=True)

        assert asyncio.run(sessions()) == [None] * 50
        assert len(read(stores.log, MAIL_RECEIVED, 50)) == 50

    def test_a_closed_intake_takes_nothing(self, stores: Stores) -> None:
        stores.intake.close()
        with pytest.raises(EngineDown):
            run(stores.intake.accept(arrival(1)))
        assert read_rest(stores.log, MAIL_RECEIVED, {}) == []

    def test_closing_twice_is_closing_once(self, stores: Stores) -> None:
        stores.intake.close()
        stores.intake.close()
