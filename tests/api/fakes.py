"""A house in memory: the API over fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import httpx

from api.rest.app import create_app
from api.services import ApiSettings, Services
from infra.ports import (
    Account,
    Content,
    Output,
)
from mail.segments import split
from projections.mailbox.ports import (
    MessageRow,
)
from schemas.codec import encode
from schemas.events import Authenticated, Received, Scored
from schemas.identity import derived, message_id
from schemas.parts import (
    Arc,
    AuthenticatedSecret,
    Dkim,
    Dmarc,
    IpRev,
    Mailbox,
    PartSummary,
    ReceivedSecret,
    ScoredSecret,
    Spf,
    Words,
)
from schemas.seal import seal
from schemas.topics import MAIL_AUTHENTICATED, MAIL_RECEIVED, MAIL_SCORED
from tests.api.fake_engines import STAGE, VIEW, FakeDirectory, FakeLog, FakeStore, FakeWake
from tests.api.fake_mailboxes import FakeMailboxes
from tests.api.fake_views import FakeContacts, FakeSearch, FakeThreads
from tests.fakes import (
    FINGERPRINT,
    FakeBacklogs,
    FakeClock,
    FakeKeys,
    FakeLag,
    FakeLimits,
    FakeParts,
    FakeRandom,
)

DAY = 86_400_000_000


__all__ = ["FakeWake", "House", "Stream"]


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
