"""Bring the mail of other stores into a mailbox: resumable, and twice is as once.

The identity of an imported mail follows from mailbox and bytes. An import that was broken off is
begun again from the start: what is in the log already is counted as known and left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from infra.ports import Arrival, Clock, EngineDown, Intake, KeyStore, KeyTaken, Random
from ingress.arrival import fingerprint_of, imported
from ingress.importer.kept import Found, Kept, Marks, Unreadable
from schemas.fingerprint import Fingerprint
from schemas.identity import imported_mail_id, to_bytes
from schemas.labels import SYSTEM_LABELS

Known = Callable[[Sequence[str]], frozenset[str] | set[str]]
"""Which of these mail_ids are in the log already."""

LabelOf = Callable[[str], str | None]
"""The identifier of a user's label by its name, made when there is none; None: leave it out."""

_BATCH = 200
_BATCH_BYTES = 16 * 1024 * 1024
_IN_FLIGHT = 400
_IN_FLIGHT_BYTES = 64 * 1024 * 1024
_FAILURES_TOLD = 1_000
MAX_MESSAGE_BYTES = 150 * 1024 * 1024
"""A larger one is reported as failed, octets."""


@dataclass(slots=True)
class Report:
    """What became of what was found."""

    new: int = 0
    known: int = 0
    failed: int = 0
    not_mail: int = 0
    """Files in folders and archives that nothing says to be mail."""
    failures: list[Unreadable] = field(default_factory=list[Unreadable])
    """The first 1,000 failures, each with where and why."""

    @property
    def seen(self) -> int:
        """How many mails were met, readable or not."""
        return self.new + self.known + self.failed

    def fail(self, failure: Unreadable) -> None:
        """Count a failure."""
        self.failed += 1
        if len(self.failures) < _FAILURES_TOLD:
            self.failures.append(failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an import goes, and with what."""

    mailbox_id: str
    intake: Intake
    keys: KeyStore
    known: Known
    label_of: LabelOf
    clock: Clock
    random: Random
    fingerprint: Fingerprint
    labels: Sequence[str] = ()
    """Identifiers of labels that every mail gets; with any, a mail stays out of INBOX."""


@dataclass(frozen=True, slots=True)
class _Identified:
    mail_id: str
    raw_hmac: bytes
    kept: Kept


async def bring_in(
    found: Iterable[Found],
    target: Target,
    *,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Import what `found` yields; return what became of it.

    `progress` is called after each batch. Raises EngineDown when the log or the keys can't be
    reached; what was reported as new until then is in.
    """
    return await _Import(target, progress).run(found)


class _Window:
    """How many mails, and how many octets of them, wait for the intake."""

    def __init__(self) -> None:
        self._mails = 0
        self._octets = 0
        self._moved = asyncio.Event()

    async def enter(self, octets: int) -> None:
        """Wait until there is room; a mail larger than the window goes alone."""
        while self._mails and (
            self._mails >= _IN_FLIGHT or self._octets + octets > _IN_FLIGHT_BYTES
        ):
            self._moved.clear()
            await self._moved.wait()
        self._mails += 1
        self._octets += octets

    def leave(self, octets: int) -> None:
        """Make room again."""
        self._mails -= 1
        self._octets -= octets
        self._moved.set()


class _Import:
    def __init__(self, target: Target, progress: Callable[[Report], None] | None) -> None:
        self._target = target
        self._progress = progress
        self._report = Report()
        # Mails of this run, in 8 octets each: a collection has copies far apart.
        self._met: set[int] = set()
        self._window = _Window()
        self._label_ids: dict[str, str | None] = {}

    async def run(self, found: Iterable[Found]) -> Report:
        try:
            await self._run(found)
        except BaseExceptionGroup as failures:
            down = failures.subgroup(EngineDown)
            if down is None:
                raise
            raise EngineDown("the import was broken off; begin it again") from failures
        self._tell()
        return self._report

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._report)

    async def _run(self, found: Iterable[Found]) -> None:
        async with asyncio.TaskGroup() as group:
            for batch in self._batches(found):
                for arrival, kept in self._arrivals(batch):
                    await self._window.enter(len(kept.content))
                    group.create_task(self._accept(arrival, kept.origin, len(kept.content)))
                self._tell()

    def _batches(self, found: Iterable[Found]) -> Iterator[list[Kept]]:
        batch: list[Kept] = []
        size = 0
        for item in found:
            if isinstance(item, Kept) and len(item.content) <= MAX_MESSAGE_BYTES:
                batch.append(item)
                size += len(item.content)
            elif isinstance(item, Kept):
                self._report.fail(Unreadable(item.origin, "too large"))
            elif isinstance(item, Unreadable):
                self._report.fail(item)
            else:
                self._report.not_mail += 1
            if len(batch) >= _BATCH or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        yield batch

    def _arrivals(self, batch: list[Kept]) -> Iterator[tuple[Arrival, Kept]]:
        mails = self._unmet(batch)
        known = self._target.known([m.mail_id for m in mails]) if mails else frozenset[str]()
        fresh = [m for m in mails if m.mail_id not in known]
        self._report.known += len(batch) - len(fresh)
        if not fresh:
            return
        # Keys before sealing: an import that was killed between key and event left its key.
        keys = self._target.keys.ensure([m.mail_id for m in fresh])
        for mail in fresh:
            key = keys.get(mail.mail_id)
            if key is None:
                # It was here and is erased: what is gone for good does not come back by itself.
                self._report.known += 1
            else:
                yield self._arrival(mail, key), mail.kept

    def _unmet(self, batch: list[Kept]) -> list[_Identified]:
        mails: list[_Identified] = []
        for kept in batch:
            raw_hmac = fingerprint_of(kept.content, self._target.fingerprint)
            mail_id = imported_mail_id(self._target.mailbox_id, raw_hmac)
            short = int.from_bytes(to_bytes(mail_id)[8:])
            if short not in self._met:
                self._met.add(short)
                mails.append(_Identified(mail_id, raw_hmac, kept))
        return mails

    def _arrival(self, mail: _Identified, key: bytes) -> Arrival:
        target = self._target
        now = target.clock()
        date = mail.kept.date
        return imported(
            mail.kept.content,
            target.mailbox_id,
            raw_hmac=mail.raw_hmac,
            internal_date=now if date is None else date,
            labels=self._labels(mail.kept.marks),
            flags=sorted(mail.kept.marks.flags),
            key=key,
            random=target.random,
            clock=target.clock,
            fingerprint=target.fingerprint,
        )

    def _labels(self, marks: Marks) -> list[str]:
        identifiers = [self._label_id(name) for name in sorted(marks.labels)]
        return list(dict.fromkeys((*self._target.labels, *(i for i in identifiers if i))))

    def _label_id(self, name: str) -> str | None:
        if name in SYSTEM_LABELS:
            return name
        if name not in self._label_ids:
            self._label_ids[name] = self._target.label_of(name)
        return self._label_ids[name]

    async def _accept(self, arrival: Arrival, origin: str, octets: int) -> None:
        try:
            await self._target.intake.accept(arrival)
        except KeyTaken:
            # Another import of the same mail was quicker, or the mail was erased just now.
            self._report.fail(Unreadable(origin, "imported or erased by another at the same time"))
        else:
            self._report.new += 1
        finally:
            self._window.leave(octets)
