"""A label is paged to its end while mail arrives in it, newer and older than what is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench.bulk import mailbox_of
from tests.bench.variation import START, Variation, made_up_texts
from tests.paging import page_while_mail_arrives
from tests.system import System

_ADDRESS = "load@example.test"


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("messages", "limit", "stops"),
    [
        (5_000, 100, 2),
        pytest.param(
            int(os.environ.get("MAILFOLD_PAGED", "1000000")), 500, 12, marks=pytest.mark.slow
        ),
    ],
)
def test_a_label_is_paged_to_its_end_while_mail_arrives_without_a_repeat_or_a_gap(
    messages: int, limit: int, stops: int, tmp_path: Path
) -> None:
    running = System(tmp_path / "data")
    running.add_account("load")
    variation = Variation(made_up_texts())
    mailbox_of(running.data, _ADDRESS, messages, variation)
    running.run("projection", "rebuild", "mailbox", timeout=3600)
    running.start()
    try:
        span = (START, variation.date(messages))
        page_while_mail_arrives(running, tmp_path, _ADDRESS, span, limit, stops)
    finally:
        running.stop()
