"""The work done for a name of somebody else is that for a name nobody has: no clock can tell.

Every statement that SQLite executes for a call, in the API, in the mailbox stage and in the
projections, is taken down with the file it goes to and the steps that its program takes. These are
numbers that do not depend on the machine, as times do.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
from fastapi import FastAPI

from api.rest.app import create_app
from infra.ports import Output
from mailfold.settings import load
from mailfold.wiring import House, open_house
from streams.topology import MAILBOX, PROJECTIONS
from tests.e2e.suite import ANN, BOB
from tests.e2e.two_accounts import another, calls, make, names_of, tries, two_accounts

Statement = tuple[str, str, int]
"""File, text, steps."""


class Work:
    """The statements of all connections that are opened meanwhile."""

    def __init__(self) -> None:
        self.done: list[Statement] = []

    def __call__(self, connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._add)

    def _add(self, event: dict[str, Any]) -> None:
        text: str = event["sql"]
        # Those with which a further connection begins.
        if not text.startswith("pragma"):
            steps: int = event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]
            self.done.append((Path(event["connection"].filename).name, text, steps))

    @contextmanager
    def of_connections(self) -> Iterator[None]:
        apsw.connection_hooks.append(self)
        try:
            yield
        finally:
            apsw.connection_hooks.remove(self)


class PromptLog:
    """The log, with all that follows from a command done when the command is appended."""

    def __init__(self, house: House) -> None:
        self._log = house.log
        self._stage = house.stepping(MAILBOX.name)
        self._projections = [house.projection_consumer(p.name) for p in PROJECTIONS]

    def append(self, outputs: Sequence[Output]) -> None:
        self._log.append(outputs)
        while self._stage.step():
            pass
        for projection in self._projections:
            while projection.step(0.0):
                pass

    def close(self) -> None:
        for projection in self._projections:
            projection.close()
        self._stage.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class Within(httpx.BaseTransport):
    """Takes requests to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._context = app.state.context
        self._inner = httpx.ASGITransport(app)
        self._runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self._inner.handle_async_request(request)
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=await answer.aread()
            )

        return self._runner.run(ask())

    def close(self) -> None:
        async def end() -> None:
            self._context.progress.close()
            self._context.threads.close()

        self._runner.run(end())
        self._runner.close()


@contextmanager
def served(house: House, token: str) -> Iterator[httpx.Client]:
    """A client of the API of an installation that no other process serves."""
    log = PromptLog(house)
    services = dataclasses.replace(house.api().state.context.services, log=log)
    with httpx.Client(
        transport=Within(create_app(services)),
        base_url="http://test/api/v1",
        headers={"Authorization": token},
    ) as api:
        yield api
    log.close()


def test_what_is_done_for_a_foreign_name_is_what_is_done_for_an_absent_one(tmp_path: Path) -> None:
    system = two_accounts(tmp_path)
    with system.api(ANN) as ann, system.api(BOB) as bob:
        theirs, mine, token = names_of(ann), names_of(bob), bob.headers["Authorization"]
        places = list(tries(calls(bob), mine))
    assert system.stop() == 0
    nobodys, work = another(theirs), Work()
    settings = load(data=system.data, limits="off")
    differing: list[Any] = []
    with work.of_connections(), open_house(settings) as house, served(house, token) as api:

        def done(*how: Any, **more: str) -> list[Statement]:
            work.done.clear()
            make(api, *how, **more)
            return work.done.copy()

        for call, name, more in places:
            # The first time, what is made once is made.
            done(call, mine, name, nobodys, **more)
            foreign, absent = (done(call, mine, name, x, **more) for x in (theirs, nobodys))
            if foreign != absent:
                found = [pair for pair in zip(foreign, absent, strict=False) if len(set(pair)) > 1]
                differing.append((call.method, call.path, name, more, found))
            assert not any("from content" in text for _, text, _ in foreign)
        # The control: the work for one's own name is another.
        own, absent = (
            {text for _, text, _ in done(call, mine, name, x)}
            for call, name, _ in places
            if (call.method, call.path, name) == ("get", "/messages/{id}", "path id")
            for x in (mine, nobodys)
        )
        assert any("from content" in text for text in own - absent)
    assert differing == []
    assert len(places) > 40
