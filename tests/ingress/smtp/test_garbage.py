from __future__ import annotations

import asyncio
import tracemalloc
from random import Random

import pytest

from ingress.lmtp.dialect import LMTP
from ingress.mx.dialect import ESMTP
from ingress.smtp.dialect import Dialect
from tests.ingress.smtp.in_memory import MemoryMx, replies
from tests.ingress.smtp.mutation import SEEDS, chunks, mutated

DIALOGS_A_TEST = 2_500
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("dialect", "seed"), [(d, seed) for d in (ESMTP, LMTP) for seed in range(4)]
)
def test_mutated_dialogs_get_proper_replies_and_leave_nothing(dialect: Dialect, seed: int) -> None:
    async def scenario() -> None:
        random, mx = Random(seed), MemoryMx(dialect)
        defects: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, c: defects.append(c))
        accepted = 0
        for _ in range(DIALOGS_A_TEST):
            data = mutated(random, SEEDS[dialect.name])
            found = replies(await mx.converse(chunks(random, data)))
            assert found[0] == (220, "", f"mx.example.test {dialect.name}"), data
            # In LMTP a mail may be named by several replies.
            accepted += len({text for _, _, text in found if "queued as" in text})
            assert not defects, data
        assert accepted == len(mx.intake.arrivals) > 0
        assert mx.memory.held == 0
        assert mx.door.connections.open == 0
        for content in mx.intake.contents():
            assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")

    asyncio.run(scenario())


def test_a_client_that_never_ends_a_line_or_a_message_uses_little_memory() -> None:
    start = b"EHLO a\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
    floods = [
        [b"x" * 65536] * 500,
        [b"\r\n" * 100, *[b"y" * 65536] * 500],
        [start, *[b"z" * 65536] * 500],
        [start, *[b"\r\n.." * 15000] * 500],
        [start, *[b"a\r\n\r\n" * 13000] * 500, b"\r\n.\r\n"],
    ]

    async def scenario() -> None:
        mx = MemoryMx()
        await mx.converse([b"QUIT\r\n"])
        tracemalloc.start()
        try:
            for flood in floods:
                replies(await mx.converse(flood))
                _, peak = tracemalloc.get_traced_memory()
                assert peak < 3 * MEGABYTE
                tracemalloc.reset_peak()
        finally:
            tracemalloc.stop()
        assert not mx.intake.arrivals
        assert mx.largest_buffer < MEGABYTE

    asyncio.run(scenario())
