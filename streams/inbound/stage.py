"""The inbound stage: store, authenticate, score, route, in one chain with one read of the content.

Judgements are not functions of their input (DNS and models change), so they are kept in the
content store before anything is published, and what is published is what is kept there: a mail
that is delivered twice to this stage has one judgement.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from infra.ports import (
    Content,
    ContentStore,
    EngineDown,
    KeyStore,
    Output,
    PartMissing,
    PartStore,
    Random,
    Record,
)
from mail.authentication.resolution import Judged
from mail.message import MessageDigest, digest
from mail.segments import SkeletonError, join
from schemas.codec import CodecError, decode_as, encode
from schemas.content import open_received, original
from schemas.events import Authenticated, Received, Scored
from schemas.fingerprint import Fingerprint
from schemas.parts import Digest, ReceivedSecret
from schemas.seal import SealError, seal
from schemas.topics import MAIL_RECEIVED
from streams.inbound import authenticate, route, score, unjudged
from streams.inbound.digest import facts_of, to_record
from streams.inbound.trace import compose
from streams.stage import Poison

GROUP = "inbound"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail as this stage reads it."""

    record: Record
    received: Received
    secret: ReceivedSecret
    raw: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """What a mail seals, with its key."""

    secret: ReceivedSecret
    key: bytes


@dataclass(frozen=True, slots=True)
class Judgement:
    """The two events of a judged mail."""

    authenticated: Authenticated
    scored: Scored

    @staticmethod
    def of(content: Content) -> Judgement:
        """Return what the content store keeps. Raises CodecError."""
        return Judgement(
            decode_as(Authenticated, content.authenticated), decode_as(Scored, content.scored)
        )


@dataclass(frozen=True, slots=True)
class InboundPlan:
    """Judged mails of a batch, in order, ready to be kept and published."""

    received: Sequence[Received]
    contents: dict[str, Content]
    judged: dict[str, Judgement]
    """Of the mails that are judged in this batch, for as long as theirs is the one that is kept."""
    forwarded: dict[str, Opened]
    """Of the mails that go on to other hosts."""


class InboundStage:
    """Consumes mail.received; `judge` authenticates a batch of mails at once."""

    name = GROUP
    source = MAIL_RECEIVED
    folds: str | None = None

    def __init__(
        self,
        keys: KeyStore,
        content: ContentStore,
        parts: PartStore,
        fingerprint: Fingerprint,
        judge: authenticate.Judge,
        authserv_id: str,
        random: Random = os.urandom,
    ) -> None:
        self._keys = keys
        self._content = content
        self._parts = parts
        self._fingerprint = fingerprint
        self._judge = judge
        self._authserv_id = authserv_id
        self._random = random

    def plan(self, batch: Sequence[Record]) -> InboundPlan:
        """Read and judge a batch. Raises Poison for a mail whose record, key or part fails.

        A mail that is erased by now is passed over: its key is destroyed and not lost.
        """
        received = [_decoded(r) for r in batch]
        known = self._content.get([r.mail_id for r in received])
        unknown = [r.mail_id for r in received if r.mail_id not in known]
        needed = [*unknown, *(r.mail_id for r in received if r.mail_id in known and r.forwards)]
        keys = self._keys.get(needed)
        erased = self._keys.destroyed([i for i in needed if i not in keys])
        fresh = [
            (record, r)
            for record, r in zip(batch, received, strict=True)
            if r.mail_id not in known and r.mail_id not in erased
        ]
        received = [r for r in received if r.mail_id not in erased]
        incoming = [self._open(record, r, keys.get(r.mail_id)) for record, r in fresh]
        judged, contents = self._judged(incoming)
        return InboundPlan(
            received, {**known, **contents}, judged, _forwarded(received, incoming, keys)
        )

    def settle(self, plan: InboundPlan) -> Sequence[Output]:
        """Keep the judgements that are new; publish those that are kept."""
        stored = self._content.put(plan.contents)
        outputs: list[Output] = []
        for received in plan.received:
            content = stored[received.mail_id]
            found = plan.judged.get(received.mail_id)
            if found is None or content is not plan.contents[received.mail_id]:
                found = Judgement.of(content)
            outputs.append(Output.of(found.authenticated, content.authenticated))
            outputs.append(Output.of(found.scored, content.scored))
            commands = route.commands(received, found.authenticated, found.scored)
            outputs += (Output.of(c) for c in commands)
            opened = plan.forwarded.get(received.mail_id)
            if opened is not None:
                submitted = route.submissions(
                    received,
                    opened.secret,
                    opened.key,
                    found.authenticated,
                    found.scored,
                    self._random,
                )
                outputs += (Output.of(s) for s in submitted)
        return outputs

    def remember(self, plan: InboundPlan) -> None:
        """Nothing: the content store is all that this stage keeps."""

    def recover(self, outputs: Sequence[Record]) -> None:
        """Nothing, for the same reason."""

    def _open(self, record: Record, received: Received, key: bytes | None) -> Incoming:
        if key is None:
            raise Poison("key-missing")
        try:
            secret = open_received(received, key)
            raw = original(secret, self._parts.get, self._fingerprint, join)
        except SealError as e:
            raise Poison(f"seal-{e.reason}") from e
        except PartMissing as e:
            raise Poison("part-missing") from e
        except SkeletonError as e:
            raise Poison("skeleton-damaged") from e
        return Incoming(record, received, secret, raw, key)

    def _judged(self, mails: Sequence[Incoming]) -> tuple[dict[str, Judgement], dict[str, Content]]:
        # Step by step and not mail by mail: the code of one step stays in the processor's cache,
        # which makes up a sixth of the time of a batch of ten.
        # An import was judged by whoever received it; its signing keys are mostly gone by now.
        found = self._verdicts([m for m in mails if m.received.source != "import"])
        verdicts = [found.get(m.received.mail_id) for m in mails]
        read = [digest(m.raw) for m in mails]
        scored = list(map(self._scored, mails, read, verdicts))
        authenticated = list(map(self._authenticated, mails, verdicts))
        shown = list(map(self._shown, mails, read, verdicts))
        judged = {
            m.received.mail_id: Judgement(a, s)
            for m, (a, _), s in zip(mails, authenticated, scored, strict=True)
        }
        contents = {
            m.received.mail_id: Content(
                received=m.record,
                authenticated=as_kept,
                scored=encode(s),
                digest=seal(d, m.key, m.received.mail_id, self._random),
            )
            for m, (_, as_kept), s, d in zip(mails, authenticated, scored, shown, strict=True)
        }
        return judged, contents

    def _verdicts(self, mails: Sequence[Incoming]) -> dict[str, Judged | Exception]:
        questions = [
            authenticate.question(m.received, m.secret, m.raw, self._authserv_id) for m in mails
        ]
        try:
            verdicts: Sequence[Judged | Exception] = self._judge(questions)
        except EngineDown:
            raise
        except Exception as e:  # noqa: BLE001 (a defect in judging mail never stops mail)
            if len(mails) > 1:
                # It is one mail's; the others have a verdict.
                return {k: v for m in mails for k, v in self._verdicts([m]).items()}
            verdicts = [e]
        return {m.received.mail_id: v for m, v in zip(mails, verdicts, strict=True)}

    def _authenticated(
        self, mail: Incoming, verdict: Judged | Exception | None
    ) -> tuple[Authenticated, bytes]:
        """Return the event, and the event encoded."""
        received, key = mail.received, mail.key
        if isinstance(verdict, Judged):
            try:
                event = authenticate.event(received, verdict, key, self._random)
                return event, encode(event)
            except Exception as e:  # noqa: BLE001 (the same, for what can't be written down)
                verdict = e
        if verdict is None:
            event = unjudged.event(received, key, self._random)
        else:
            event = unjudged.failed(received, verdict, key, self._random)
        return event, encode(event)

    def _shown(
        self, mail: Incoming, read: MessageDigest, verdict: Judged | Exception | None
    ) -> Digest:
        record = to_record(read)
        results = verdict.verdict.results_header if isinstance(verdict, Judged) else ""
        try:
            trace = compose(self._authserv_id, mail.received, mail.secret, results)
        except Exception:  # noqa: BLE001 (a defect in composing them never stops mail either)
            return msgspec.structs.replace(record, unreadable=True)
        return msgspec.structs.replace(record, trace=trace)

    def _scored(
        self, mail: Incoming, read: MessageDigest, verdict: Judged | Exception | None
    ) -> Scored:
        suspicions = verdict.verdict.suspicions if isinstance(verdict, Judged) else ()
        try:
            found = score.score(facts_of(mail.raw, read, suspicions))
        except Exception as e:  # noqa: BLE001 (a defect in judging mail never stops mail)
            return score.unknown(mail.received, mail.key, type(e).__name__, self._random)
        return score.event(mail.received, found, mail.key, self._random)


def _forwarded(
    received: Sequence[Received], incoming: Sequence[Incoming], keys: Mapping[str, bytes]
) -> dict[str, Opened]:
    """Return what is sealed of the mails that go on. Raises Poison."""
    fresh = {m.received.mail_id: Opened(m.secret, m.key) for m in incoming}
    found: dict[str, Opened] = {}
    for r in received:
        if not r.forwards:
            continue
        key = keys.get(r.mail_id)
        if key is None:
            raise Poison("key-missing")
        try:
            found[r.mail_id] = fresh.get(r.mail_id) or Opened(open_received(r, key), key)
        except SealError as e:
            raise Poison(f"seal-{e.reason}") from e
    return found


def _decoded(record: Record) -> Received:
    try:
        return decode_as(Received, record.value)
    except CodecError as e:
        raise Poison("undecodable") from e
