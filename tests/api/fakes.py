"""A house in memory: ports for the API, and a mailbox stage of a few lines behind them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import httpx

from api.rest.app import create_app
from api.services import ApiSettings, Services
from infra.ports import (
    Account,
    Content,
    EngineDown,
    Grant,
    Listener,
    Outcome,
    Output,
    PartMissing,
    Position,
    Reader,
    Record,
    Refusal,
)
from mail.segments import split
from projections.mailbox.ports import (
    BadPageToken,
    FeedEntry,
    LabelRow,
    MailboxRow,
    MessageRow,
    Page,
)
from projections.search.ports import Found, Hit
from projections.search.query import parse
from schemas import commands as c
from schemas.codec import decode, encode
from schemas.events import Authenticated, Received, Scored
from schemas.identity import derived, message_id
from schemas.labels import SYSTEM_LABELS
from schemas.parts import (
    Arc,
    AuthenticatedSecret,
    Dkim,
    Dmarc,
    IpRev,
    LabelSecret,
    Mailbox,
    PartSummary,
    ReceivedSecret,
    ScoredSecret,
    Spf,
    Words,
)
from schemas.seal import seal, unseal
from schemas.topics import MAIL_AUTHENTICATED, MAIL_RECEIVED, MAIL_SCORED
from tests.api.fake_views import FakeContacts, FakeThreads
from tests.fakes import (
    FINGERPRINT,
    FakeBacklogs,
    FakeClock,
    FakeKeys,
    FakeLag,
    FakeLimits,
    FakeRandom,
)

DAY = 86_400_000_000
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


class FakeMailboxes:
    """The mailbox stage and its projection in one, simple enough to be looked through."""

    def __init__(self, clock: FakeClock, keys: FakeKeys) -> None:
        self._clock, self._keys = clock, keys
        self.feed: dict[str, list[FeedEntry]] = {}
        self.visible: dict[str, dict[str, MessageRow]] = {}
        self.expunged: dict[str, dict[str, MessageRow]] = {}
        self.user_labels: dict[str, dict[str, LabelRow]] = {}
        self.outcomes: dict[tuple[str, str], Outcome] = {}

    # -- the stage

    def write(self, mailbox_id: str, type: str, row: MessageRow | None, **detail: object) -> int:
        feed = self.feed.setdefault(mailbox_id, [])
        now, seq = self._clock(), len(feed) + 1
        where = {} if row is None else {"message_id": row.message_id, "mail_id": row.mail_id}
        feed.append(
            FeedEntry(
                seq, type, now, now, derived("event", mailbox_id, str(seq)), **where, detail=detail
            )
        )
        return seq

    def show(self, mailbox_id: str, row: MessageRow, type: str, **detail: object) -> None:
        seq = self.write(mailbox_id, type, row, **detail)
        self.visible.setdefault(mailbox_id, {})[row.message_id] = replace(row, seq=seq)

    def judge(self, command: c.Command) -> None:
        box = command.mailbox_id
        if (box, command.command_id) in self.outcomes:
            return
        refusals: list[Refusal] = []
        match command:
            case c.DefineLabel() | c.RenameLabel():
                key = self._keys.keys[box]
                name = unseal(LabelSecret, command.sealed, key, command.command_id).name
                row = LabelRow(command.label_id, name, command.color, False, 0, 0, 1, 1)
                self.user_labels.setdefault(box, {})[command.label_id] = row
                defined = isinstance(command, c.DefineLabel)
                self.write(box, "LabelDefined" if defined else "LabelRenamed", None)
            case c.DeleteLabel():
                del self.user_labels[box][command.label_id]
                self.write(box, "LabelDeleted", None, label_id=command.label_id)
            case c.ChangeLabels() | c.Expunge() | c.Erase() | c.Restore():
                for m in command.message_ids:
                    code = self._judge(box, m, command)
                    refusals += [Refusal(m, code)] if code else []
            case c.MoveToThread():
                for m in command.message_ids:
                    refusals += self._move(box, m, command)
            case _:
                raise AssertionError(command)
        self.outcomes[box, command.command_id] = Outcome(self.head(box), tuple(refusals))

    def _move(self, box: str, m: str, command: c.MoveToThread) -> list[Refusal]:
        row = self.visible.get(box, {}).get(m)
        if row is None:
            return [Refusal(m, "unknown-message")]
        known = {"", *(r.thread_id for r in self.visible[box].values())}
        if command.thread_id not in known:
            return [Refusal("", "unknown-thread")]
        target = command.thread_id or derived("thread", command.command_id)
        self.show(box, replace(row, thread_id=target), "MovedToThread")
        return []

    def _judge(self, box: str, m: str, command: c.Command) -> str:
        visible, expunged = self.visible.setdefault(box, {}), self.expunged.setdefault(box, {})
        row = visible.get(m) or expunged.get(m)
        if row is None or (m in expunged and not isinstance(command, c.Restore | c.Erase)):
            return "unknown-message"
        if command.if_seq is not None and row.seq > command.if_seq:
            return "changed"
        match command:
            case c.ChangeLabels():
                labels = (set(row.labels) | set(command.add_labels)) - set(command.remove_labels)
                flags = (set(row.flags) | set(command.add_flags)) - set(command.remove_flags)
                new = replace(
                    row,
                    labels=tuple(sorted(labels)),
                    flags=tuple(sorted(flags)),
                    is_read="seen" in flags,
                    is_starred="flagged" in flags,
                )
                if new != row:
                    self.show(
                        box,
                        new,
                        "Labelled",
                        labels_added=list(command.add_labels),
                        labels_removed=dict.fromkeys(command.remove_labels, 7),
                        flags_added=list(command.add_flags),
                    )
            case c.Expunge():
                until = command.occurred_at + command.window * 1_000_000
                self.write(box, "Expunged", row, restorable_until=until)
                expunged[m] = visible.pop(m)
            case c.Restore() if m in expunged:
                self.show(box, expunged.pop(m), "Restored")
            case c.Erase():
                visible.pop(m, None)
                expunged.pop(m, None)
                self.feed[box] = [
                    FeedEntry(e.seq, e.type) if e.message_id == m else e for e in self.feed[box]
                ]
                self.write(box, "Erased", row, by="user")
            case _:
                pass
        return ""

    def outcome(self, mailbox_id: str, command_id: str) -> Outcome | None:
        return self.outcomes.get((mailbox_id, command_id))

    # -- the projection

    def head(self, mailbox_id: str) -> int:
        return len(self.feed.get(mailbox_id, []))

    def counts(self, mailbox_id: str) -> MailboxRow:
        rows = self.visible.get(mailbox_id, {}).values()
        unread = sum(not r.is_read for r in rows)
        size = sum(r.size for r in rows)
        return MailboxRow(mailbox_id, self.head(mailbox_id), len(rows), unread, size)

    def list(
        self,
        mailbox_id: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[Page, int]:
        rows = sorted(
            (
                r
                for r in self.visible.get(mailbox_id, {}).values()
                if set(labels) <= set(r.labels)
                and (include_spam or not {"SPAM", "TRASH"} & (set(r.labels) - set(labels)))
                and (at is None or r.received_at <= at)
            ),
            key=lambda r: (-r.internal_date, r.message_id),
        )
        begin = 0
        if page_token is not None:
            if not page_token.isdigit():
                raise BadPageToken(page_token)
            begin = int(page_token)
        more = str(begin + limit) if len(rows) > begin + limit else None
        return Page(tuple(rows[begin : begin + limit]), more, len(rows)), self.head(mailbox_id)

    def get(self, mailbox_id: str, message_id: str) -> tuple[MessageRow | None, int]:
        return self.visible.get(mailbox_id, {}).get(message_id), self.head(mailbox_id)

    def owner(self, message_id: str) -> str | None:
        for boxes in (self.visible, self.expunged):
            for mailbox_id, rows in boxes.items():
                if message_id in rows:
                    return mailbox_id
        return None

    def labels(self, mailbox_id: str) -> tuple[Sequence[LabelRow], int]:
        rows = self.visible.get(mailbox_id, {}).values()
        system = [
            LabelRow(
                x,
                x,
                "",
                True,
                sum(x in r.labels for r in rows),
                sum(x in r.labels and not r.is_read for r in rows),
                1,
                1,
            )
            for x in SYSTEM_LABELS
        ]
        users = sorted(self.user_labels.get(mailbox_id, {}).values(), key=lambda r: r.name)
        return [*system, *users], self.head(mailbox_id)

    def history(
        self, mailbox_id: str, since: int, limit: int = 500
    ) -> tuple[Sequence[FeedEntry], int]:
        feed = self.feed.get(mailbox_id, [])
        return [e for e in feed if e.seq > since][:limit], self.head(mailbox_id)

    def message_history(self, message_id: str) -> Sequence[FeedEntry]:
        return [e for feed in self.feed.values() for e in feed if e.message_id == message_id]

    def vanished(self, mailbox_id: str, label: str, since: int) -> tuple[Sequence[int], int]:
        return [], self.head(mailbox_id)


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


class FakeParts:
    """Large parts by name."""

    def __init__(self) -> None:
        self.parts: dict[bytes, bytes] = {}

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        self.parts.update(parts)

    def get(self, name: bytes) -> bytes:
        if name not in self.parts:
            raise PartMissing(name.hex())
        return self.parts[name]


class House:
    """The API over fakes, with two accounts: ada and bob. Calls are made from outside of a loop."""

    def __init__(self, limits: Mapping[str, int] = {}, **settings: Any) -> None:
        self.clock, random = FakeClock(), FakeRandom()
        self.keys, self.wake, self.store = FakeKeys(), FakeWake(), FakeStore()
        self.parts = FakeParts()
        self.directory = FakeDirectory(self.clock)
        self.boxes = FakeMailboxes(self.clock, self.keys)
        self.log = FakeLog(self.boxes, self.wake, self.clock)
        self.limits = FakeLimits(limits)
        self.backlogs = FakeBacklogs()
        self.search = FakeSearch(self.boxes)
        self.services = Services(
            directory=self.directory,
            reader=self.boxes,
            search=self.search,
            threads=FakeThreads(self.boxes),
            contacts=FakeContacts(self.boxes),
            log=self.log,
            outcomes=self.boxes,
            keys=self.keys,
            content=self.store,
            parts=self.parts,
            fingerprint=FINGERPRINT,
            wake=self.wake,
            channels=(STAGE, VIEW),
            limits=self.limits,
            lag=FakeLag(3),
            backlogs=self.backlogs,
            clock=self.clock,
            random=random,
            settings=ApiSettings(
                authserv_id="mx.example.test", undelete_window=30 * 86400, **settings
            ),
        )
        self.ada = self.directory.add("ada@example.test")
        self.bob = self.directory.add("bob@example.test")
        self.tokens = {a: self._token(a, "write") for a in ("ada", "bob")}
        self.tokens["reader"] = self._token("ada", "read")
        self.app = create_app(self.services)
        self.runner = asyncio.Runner()
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://api.test/api/v1"
        )

    def _token(self, who: str, scope: Literal["read", "write"]) -> str:
        now = self.clock()
        return self.directory.create_token(f"{who}@example.test", scope, now + DAY, now)

    def close(self) -> None:
        async def close() -> None:
            await self.client.aclose()
            context = self.app.state.context
            context.progress.close()
            context.threads.close()

        self.runner.run(close())
        self.runner.close()

    def headers(self, who: str | None, headers: Mapping[str, str] = {}) -> dict[str, str]:
        bearer = {} if who is None else {"Authorization": f"Bearer {self.tokens.get(who, who)}"}
        return {**bearer, **headers}

    async def ask(
        self,
        method: str,
        path: str,
        who: str | None = "ada",
        headers: Mapping[str, str] = {},
        **more: Any,
    ) -> httpx.Response:
        return await self.client.request(method, path, headers=self.headers(who, headers), **more)

    def call(
        self,
        method: str,
        path: str,
        who: str | None = "ada",
        headers: Mapping[str, str] = {},
        **more: Any,
    ) -> httpx.Response:
        return self.runner.run(self.ask(method, path, who, headers, **more))

    def get(self, path: str, who: str | None = "ada", **more: Any) -> httpx.Response:
        return self.call("GET", path, who, **more)

    def deliver(
        self,
        to: Account,
        raw: bytes = b"Subject: hello\r\n\r\ntext\r\n",
        *,
        name: str = "one",
        labels: tuple[str, ...] = ("INBOX",),
        attachments: tuple[PartSummary, ...] = (),
        also: Sequence[Account] = (),
    ) -> str:
        """Have a mail in a mailbox, with its content and its record in the log."""
        mail_id, now = derived("mail", to.mailbox_id, name), self.clock()
        boxes = [to.mailbox_id, *(a.mailbox_id for a in also)]
        self._content(mail_id, raw, boxes)
        m = message_id(to.mailbox_id, mail_id)
        row = MessageRow(
            message_id=m,
            mail_id=mail_id,
            thread_id=derived("thread", m),
            labels=labels,
            placements=dict.fromkeys(labels, 1),
            flags=(),
            is_read=False,
            is_starred=False,
            received_at=now,
            internal_date=now,
            size=len(raw),
            attachment_count=len(attachments),
            verdict="ham",
            source="smtp",
            authenticated_id="",
            scored_id="",
            seq=0,
            has_text=True,
            author=(Mailbox(name="Bob", address="bob@other.test"),),
            to=(Mailbox(name="", address=to.address),),
            subject=f"subject of {name}",
            date=now,
            snippet="text",
            attachments=attachments,
            trace=b"Return-Path: <bob@other.test>\r\n",
        )
        self.boxes.write(to.mailbox_id, "Threaded", row)
        self.boxes.write(to.mailbox_id, "Labelled", row, labels_added=list(labels))
        self.boxes.show(
            to.mailbox_id,
            row,
            "Delivered",
            placements=dict.fromkeys(labels, 1),
            received_at=now,
            size=len(raw),
        )
        self.wake.notify(VIEW)
        self.clock.advance(1)
        return m

    def _content(self, mail_id: str, raw: bytes, mailboxes: list[str]) -> None:
        key, now = self.keys.ensure([mail_id])[mail_id], self.clock()
        ids = {k: derived(k, mail_id) for k in ("received", "authenticated", "scored")}
        cut = split(raw)
        self.parts.put(mail_id, {FINGERPRINT.part(p.name): p.data for p in cut.parts})
        received = Received(
            event_id=ids["received"],
            mail_id=mail_id,
            occurred_at=now,
            source="smtp",
            size=len(raw),
            received_at=now,
            internal_date=now,
            mailboxes=mailboxes,
            raw_hmac=b"r" * 32,
            reverse_path_hmac=b"p" * 16,
            sealed=seal(
                ReceivedSecret(
                    client_address="192.0.2.1",
                    client_name="",
                    helo="h",
                    reverse_path="bob@other.test",
                    forward_paths=["canary@example.test"],
                    skeleton=cut.skeleton,
                ),
                key,
                ids["received"],
            ),
        )
        authenticated = Authenticated(
            event_id=ids["authenticated"],
            mail_id=mail_id,
            occurred_at=now,
            spf=Spf(result="pass", reason="matched", domain="other.test"),
            dkim=[Dkim(result="fail", reason="body-hash", domain="other.test", selector="s")],
            arc=Arc(result="none"),
            dmarc=Dmarc(
                result="pass",
                reason="aligned",
                domain="other.test",
                policy="reject",
                disposition="none",
            ),
            iprev=IpRev(result="none"),
            sealed=seal(
                AuthenticatedSecret(reasons=[Words(check="spf", text="192.0.2.1 may send")]),
                key,
                ids["authenticated"],
            ),
        )
        scored = Scored(
            event_id=ids["scored"],
            mail_id=mail_id,
            occurred_at=now,
            verdict="ham",
            probability=0.25,
            threshold=0.9,
            model_id="rules",
            sealed=seal(ScoredSecret(logit=-1.0, reasons=["nothing"]), key, ids["scored"]),
        )
        for event in (received, authenticated, scored):
            self.log.keep(Output.of(event))
        record = self.log.find(MAIL_RECEIVED, mail_id)[0]
        assert self.log.find(MAIL_AUTHENTICATED, mail_id)
        assert self.log.find(MAIL_SCORED, mail_id)
        self.store.put({mail_id: Content(record, encode(authenticated), encode(scored), b"")})


class Stream:
    """A stream of the API that is read while it goes on, as no buffering client could."""

    def __init__(self, house: House, path: str, who: str = "ada", **headers: str) -> None:
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        path, _, query = path.partition("?")
        pairs = house.headers(who, {k.replace("_", "-"): v for k, v in headers.items()})
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/api/v1{path}",
            "raw_path": f"/api/v1{path}".encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in pairs.items()],
            "client": ("192.0.2.9", 1),
            "server": ("api.test", 80),
        }
        self._app = house.app
        self._rest = b""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Stream:
        self._task = asyncio.create_task(
            self._app(self._scope, self._receive, self._sent.put)  # type: ignore[arg-type]
        )
        self.start = await self._sent.get()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        assert self._task is not None
        await self._task

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def frame(self) -> str | None:
        """Return the next frame without its empty line, None when the stream has ended."""
        while b"\n\n" not in self._rest:
            message = await self._sent.get()
            self._rest += message.get("body", b"")
            if not message.get("more_body", False) and not self._rest:
                return None
        frame, _, self._rest = self._rest.partition(b"\n\n")
        return frame.decode()


class FakeSearch:
    """Finds a message by words of its subject; labels and pages as the mailbox lists them."""

    def __init__(self, boxes: FakeMailboxes) -> None:
        self._boxes = boxes
        self.behind = 0
        """Events that the index has yet to see."""

    def head(self, mailbox_id: str) -> int:
        return self._boxes.head(mailbox_id) - self.behind

    def search(
        self,
        mailbox_id: str,
        query: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        excerpts: bool = True,
    ) -> tuple[Found, int]:
        parse(query)
        page, _ = self._boxes.list(
            mailbox_id,
            labels=labels,
            include_spam=include_spam,
            limit=limit,
            page_token=page_token,
        )
        hits = [
            Hit(m.message_id, ("the ", query, " of it") if query in m.snippet else ())
            for m in page.messages
            if query in m.subject
        ]
        return Found(tuple(hits), page.next_token, len(hits)), self.head(mailbox_id)
