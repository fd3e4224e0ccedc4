"""Small stand-ins for the ports, in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from infra.ports import (
    Account,
    Arrival,
    Backlog,
    DirectoryError,
    EngineDown,
    Grant,
    PartMissing,
    Recipient,
)
from schemas.codec import decode
from schemas.content import open_received, original
from schemas.events import Received
from schemas.fingerprint import Fingerprint
from schemas.parts import Forward, ReceivedSecret
from schemas.seal import new_key

SECRET = b"s" * 32
FINGERPRINT = Fingerprint(SECRET)


class FakeClock:
    """A clock that a test moves; microseconds."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


class FakeRandom:
    """Octets that repeat from run to run, and never within one."""

    def __init__(self, seed: int = 0) -> None:
        self._count = itertools.count(seed << 32)

    def __call__(self, size: int) -> bytes:
        block = next(self._count).to_bytes(8, "big")
        return (block * (size // 8 + 1))[:size]


class FakeIntake:
    """Takes arrivals and keeps them; parts and keys beside."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.keys: dict[str, bytes] = {}
        self.parts: dict[bytes, bytes] = {}
        self.down = False
        self.gate: asyncio.Event | None = None

    async def accept(self, arrival: Arrival) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise EngineDown("log")
        self.parts.update(arrival.parts)
        self.keys[arrival.mail_id] = arrival.key
        self.arrivals.append(arrival)

    def fetch(self, name: bytes) -> bytes:
        if name not in self.parts:
            raise PartMissing(name.hex())
        return self.parts[name]

    def received(self, index: int = -1) -> Received:
        record = decode("Received", self.arrivals[index].received.value)
        assert isinstance(record, Received)
        return record

    def secret(self, index: int = -1) -> ReceivedSecret:
        received = self.received(index)
        return open_received(received, self.keys[received.mail_id])

    def content(self, index: int = -1) -> bytes:
        from mail.segments import join

        return original(self.secret(index), self.fetch, FINGERPRINT, join)

    def contents(self) -> list[bytes]:
        return [self.content(i) for i in range(len(self.arrivals))]


class FakeKeys:
    """A key store."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.gone: set[str] = set()

    def put(self, keys: Mapping[str, bytes]) -> None:
        for identifier, key in keys.items():
            self.keys.setdefault(identifier, key)

    def ensure(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        return {i: self.keys.setdefault(i, new_key()) for i in identifiers if i not in self.gone}

    def get(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        return {i: self.keys[i] for i in identifiers if i in self.keys}

    def destroy(self, identifiers: Sequence[str]) -> None:
        for i in identifiers:
            self.keys.pop(i, None)
            self.gone.add(i)

    def destroyed(self, identifiers: Sequence[str]) -> frozenset[str]:
        return frozenset(self.gone.intersection(identifiers))

    def secret(self) -> bytes:
        return SECRET


class FakeParts:
    """A store of large parts."""

    def __init__(self) -> None:
        self.parts: dict[bytes, bytes] = {}

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        self.parts.update(parts)

    def get(self, name: bytes) -> bytes:
        if name not in self.parts:
            raise PartMissing(name.hex())
        return self.parts[name]


class FakeDirectory:
    """Accounts by address, aliases to them; sub-addresses behind a plus sign."""

    def __init__(self, accounts: Mapping[str, str], aliases: Mapping[str, str] = {}) -> None:
        self._accounts = {
            address: Account(address, mailbox_id, 0, 1 << 40)
            for address, mailbox_id in accounts.items()
        }
        self._aliases = dict(aliases)
        self.forwards: dict[str, Sequence[Forward]] = {}
        self.down = False
        self.asked = 0

    def hosts(self, domain: str) -> bool:
        self._check()
        return any(
            a.endswith("@" + domain) for a in (*self._accounts, *self._aliases, *self.forwards)
        )

    def resolve(self, address: str) -> Recipient | None:
        self._check()
        self.asked += 1
        local, _, domain = address.rpartition("@")
        base, _, detail = local.lower().partition("+")
        plain = f"{base}@{domain}"
        account = self._accounts.get(self._aliases.get(plain, plain))
        return None if account is None else Recipient(account.mailbox_id, account.address, detail)

    def reach(self, address: str) -> Sequence[Recipient | Forward]:
        found = self.resolve(address)
        local = () if found is None else (found,)
        return (*local, *self.forwards.get(address.lower(), ()))

    def _check(self) -> None:
        if self.down:
            raise EngineDown("directory")

    def accounts(self) -> Sequence[Account]:
        return [self._accounts[a] for a in sorted(self._accounts)]

    def account(self, address: str) -> Account | None:
        return self._accounts.get(address)

    def account_of(self, mailbox_id: str) -> Account | None:
        return next((a for a in self._accounts.values() if a.mailbox_id == mailbox_id), None)

    def login(self, address: str, password: str) -> Account | None:
        return None

    def grant(self, token: str, now: int) -> Grant | None:
        return None

    def create_token(
        self, address: str, scope: Literal["read", "write"], expires_at: int, now: int
    ) -> str:
        raise DirectoryError("this directory makes no tokens")


class FakeLimits:
    """Lets everything through but what a test bounds: name -> how many hits a key has."""

    def __init__(self, most: Mapping[str, int] = {}) -> None:
        self._most = most
        self.hits: Counter[tuple[str, str]] = Counter()

    def hit(self, name: str, key: str) -> float:
        self.hits[name, key] += 1
        return 60.0 if self.hits[name, key] > self._most.get(name, 1 << 60) else 0.0


class FakeRoom:
    """Room for all mailboxes but those that a test fills."""

    def __init__(self, *full: str) -> None:
        self.full = set(full)
        self.down = False

    def left(self, mailbox_id: str) -> int:
        if self.down:
            raise EngineDown("views")
        return 0 if mailbox_id in self.full else 1


class FakeLag:
    """A lag that a test sets."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def lag(self) -> int:
        return self.value


class FakeBacklogs:
    """A backlog of four mails, the oldest of which waits for a minute."""

    def __init__(self) -> None:
        self.down = False

    def backlog(self) -> Backlog:
        if self.down:
            raise EngineDown("queue")
        return Backlog(depth=4, held=1, oldest_at=FakeClock().now - 60_000_000)
