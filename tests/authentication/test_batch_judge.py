"""A batch of mails shares the answers of DNS, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mail.authentication.dns import Answer, Question
from mail.authentication.evaluate import AuthSettings, Envelope
from mail.authentication.resolution import ResolutionLimits
from mailfold.judge import BatchJudge
from streams.inbound.authenticate import Question as MailQuestion

RAW = b"From: a@sender.example\r\n\r\nhello\r\n"


def test_a_mail_that_gives_up_leaves_the_others_their_answer() -> None:
    async def slow(questions: Sequence[Question]) -> Mapping[Question, Answer]:
        await asyncio.sleep(0.2)
        return {q: Answer("nxdomain") for q in questions}

    envelope = Envelope("192.0.2.1", "client.example", "a@sender.example", "mx.example")
    mail = MailQuestion(RAW, envelope, datetime(2026, 1, 1, tzinfo=UTC))
    judge = BatchJudge(slow, lambda _: None, AuthSettings, ResolutionLimits(seconds=0.05))
    judged = judge([mail, mail, mail])
    judge.close()
    assert [j.verdict.spf.result for j in judged] == ["temperror"] * 3
