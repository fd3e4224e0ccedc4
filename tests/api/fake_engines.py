"""Log, wake-ups, accounts and content in memory."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Literal

from infra.ports import (
    Account,
    Content,
    EngineDown,
    Grant,
    Listener,
    Output,
    Position,
    Reader,
    Record,
)
from schemas import commands as c
from schemas.codec import decode
from schemas.identity import derived
from tests.api.fake_mailboxes import FakeMailboxes
from tests.fakes import FakeClock

STAGE, VIEW = "stage", "view"


class FakeWake:
    """Channels of this process, with real descriptors."""

    def __init__(self) -> None:
        self.listening: dict[str, list[FakeListener]] = {}

    def notify(self, channel: str) -> None:
        for listener in self.listening.get(channel, []):
            listener.tell()

    def listen(self, channel: str) -> Listener:
        listener = FakeListener(self, channel)
        self.listening.setdefault(channel, []).append(listener)
        return listener


class FakeListener:
    def __init__(self, wake: FakeWake, channel: str) -> None:
        self._wake, self._channel = wake, channel
        self._in, self._out = socket.socketpair()
        self._out.setblocking(False)

    def tell(self) -> None:
        self._in.send(b"!")

    def fileno(self) -> int:
        return self._out.fileno()

    def drain(self) -> None:
        try:
            while self._out.recv(4096):
                pass
        except BlockingIOError:
            return

    def wait(self, timeout: float) -> bool:
        raise AssertionError("the API never blocks on a listener")

    def close(self) -> None:
        self._wake.listening[self._channel].remove(self)
        self._in.close()
        self._out.close()


class FakeDirectory:
    """Accounts with the password "secret"; tokens that are told in clear."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.accounts_by_address: dict[str, Account] = {}
        self.grants: dict[str, Grant] = {}
        self.down = False

    def add(self, address: str) -> Account:
        account = Account(address, derived("mailbox", address), self._clock(), 1000)
        self.accounts_by_address[address] = account
        return account

    def hosts(self, domain: str) -> bool:
        if self.down:
            raise EngineDown("directory")
        return domain == "example.test"

    def resolve(self, address: str) -> None:
        return None

    def accounts(self) -> Sequence[Account]:
        return list(self.accounts_by_address.values())

    def account(self, address: str) -> Account | None:
        return self.accounts_by_address.get(address)

    def account_of(self, mailbox_id: str) -> Account | None:
        return next((a for a in self.accounts() if a.mailbox_id == mailbox_id), None)

    def login(self, address: str, password: str) -> Account | None:
        return self.account(address) if password == "secret" else None

    def grant(self, token: str, now: int) -> Grant | None:
        if self.down:
            raise EngineDown("directory")
        grant = self.grants.get(token)
        return grant if grant is not None and now < grant.expires_at else None

    def create_token(
        self, address: str, scope: Literal["read", "write"], expires_at: int, now: int
    ) -> str:
        token = f"token-{len(self.grants)}"
        self.grants[token] = Grant(self.accounts_by_address[address], scope, expires_at)
        return token


class FakeLog:
    """Takes commands and has the stage judge them at once, unless it is held back."""

    def __init__(self, boxes: FakeMailboxes, wake: FakeWake, clock: FakeClock) -> None:
        self._boxes, self._wake, self._clock = boxes, wake, clock
        self.appended: list[Output] = []
        self.records: dict[tuple[str, str], list[Record]] = {}
        self.held: list[c.Command] | None = None
        self.down = False

    def append(self, outputs: Sequence[Output]) -> None:
        if self.down:
            raise EngineDown("log")
        for output in outputs:
            self.appended.append(output)
            command = decode(output.type, output.value)
            assert isinstance(command, c.Command)
            if self.held is not None:
                self.held.append(command)
            else:
                self._boxes.judge(command)
                self._wake.notify(STAGE)

    def release(self) -> None:
        held, self.held = self.held or [], None
        for command in held:
            self._boxes.judge(command)
        self._wake.notify(VIEW)

    def keep(self, output: Output) -> None:
        at = self.records.setdefault((output.topic, output.key), [])
        at.append(
            Record(
                output.topic,
                0,
                len(at),
                output.key,
                output.type,
                output.event_id,
                self._clock(),
                output.value,
            )
        )

    def find(self, topic: str, key: str) -> Sequence[Record]:
        return self.records.get((topic, key), [])

    def end(self, topic: str) -> Position:
        if self.down:
            raise EngineDown("log")
        return {}

    def begin(self, topic: str) -> Position:
        return {}

    def position_at(self, topic: str, time: int) -> Position:
        return {}

    def committed(self, group: str, topic: str) -> Position:
        return {}

    def reader(self, topic: str, position: Position) -> Reader:
        raise AssertionError("the API reads no topic from end to end")


class FakeStore:
    """Content of mails."""

    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        return {k: self.contents.setdefault(k, v) for k, v in contents.items()}

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        return {i: self.contents[i] for i in mail_ids if i in self.contents}
