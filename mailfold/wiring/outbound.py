"""The way out: the queue, and what sends its mail."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from infra.ports import Backlog, DirectoryError
from infra.sqlite.connection import VIEWS
from infra.sqlite.file import SqliteFile
from mailfold.settings import SettingsError
from streams.outbound.decide import Judge
from streams.outbound.dispatch import Dispatcher
from streams.outbound.follow import Follower
from streams.outbound.schedule import Schedule, parse
from streams.outbound.sqlite import SqliteQueue

if TYPE_CHECKING:
    from infra.smtp.courier import SmtpCourier
    from mail.authentication.signing import SigningKey
    from mailfold.wiring import House
    from streams.outbound.post import PostRoom

DAY = 86_400_000_000


class Outbound:
    """What the outbound stage is made of.

    What it takes to send a mail is loaded when there is one: an installation without aliases to
    other hosts has a process that only waits.
    """

    def __init__(self, house: House, closers: list[Callable[[], None]]) -> None:
        self._house = house
        self._closers = closers

    @cached_property
    def queue(self) -> SqliteQueue:
        """The queue, in outbound.db."""
        file = SqliteFile(self._house.settings.outbound_path, VIEWS)
        self._closers.append(file.close)
        return SqliteQueue(file.write, file.read)

    def backlog(self) -> Backlog:
        """Return what waits, as far as it is folded. Raises EngineDown."""
        return self.queue.backlog()

    @cached_property
    def follower(self) -> Follower:
        """What keeps it at the end of the log."""
        made = Follower(self._house.log, self.queue)
        self._closers.append(made.close)
        return made

    @cached_property
    def judge(self) -> Judge:
        """What writes attempts down. Raises SettingsError."""
        s = self._house.settings
        try:
            schedule = Schedule(parse(s.retry_schedule), s.queue_lifetime)
        except ValueError as e:
            raise SettingsError(f"setting retry_schedule: {e}") from e
        return Judge(schedule=schedule, hold=int(s.spam_days * DAY), random=self._house.random)

    @cached_property
    def post_room(self) -> PostRoom:
        """What makes the mail that leaves."""
        from streams.outbound.post import PostRoom

        h = self._house
        return PostRoom(
            h.keys, h.content, h.parts, h.fingerprint, self._keys, h.settings.hostname, h.clock
        )

    @cached_property
    def courier(self) -> SmtpCourier:
        """What hands it over. Raises SettingsError."""
        from infra.smtp.courier import Options, SmtpCourier

        s = self._house.settings
        resolver, _ = self._house.resolver()
        options = Options(
            hostname=s.hostname,
            port=s.outbound_port,
            relay=relay(s.relay),
            per_host=s.limit_outbound_per_host,
        )
        return SmtpCourier(options, resolver.resolve)

    def dispatcher(self) -> Dispatcher:
        """Return what runs the queue. Raises SettingsError."""
        h = self._house
        relay(h.settings.relay)
        return Dispatcher(
            h.log,
            self.queue,
            self.follower,
            lambda: self.post_room,
            lambda: self.courier,
            self.judge,
            h.clock,
            h.checkpoint,
        )

    def _keys(self, domain: str) -> tuple[SigningKey, ...]:
        from mailfold.domain_keys import KeyLost

        try:
            found = self._house.keyring.signing(domain)
        except (DirectoryError, KeyLost):
            # Mail without our seal is worth more than none; `doctor` tells of the keys.
            return ()
        return tuple(sorted(found, key=lambda key: key.kind, reverse=True))


def relay(text: str) -> tuple[str, int] | None:
    """Return host and port of a setting, None for "". Raises SettingsError."""
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"setting relay: {text!r} is no HOST:PORT")
    return host.strip("[]"), int(port)
