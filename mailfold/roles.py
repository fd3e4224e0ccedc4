"""What each process of the house does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from mailfold.process import GRACE, Stop, run_async, side_by_side
from mailfold.settings import Settings
from mailfold.supervisor import Inherited, Role, lock
from mailfold.upkeep import in_background
from mailfold.wiring import House, open_house
from projections.rebuild import Progress, rebuild
from projections.versions import NeedsRebuild, Versions
from streams.topology import MAILBOX, PROJECTIONS, SEARCH, ProjectionNode

PROCESSES: dict[str, tuple[Role, ...]] = {
    "mx": (Role("mx", ("smtp", "lmtp")),),
    "streams": (Role("inbound"), Role("mailbox"), Role("lifecycle")),
    # Taking text apart is work for the processor: beside another fold it would hold that up.
    "projections": (Role("views"), Role("search")),
    "outbound": (Role("outbound"),),
    "api": (Role("api", ("http",)),),
}
"""The processes of each role of `serve --role`."""

ROLES: tuple[str, ...] = tuple(PROCESSES)

_SHARED = tuple(role.name for role in PROCESSES["streams"])

logger = logging.getLogger(__name__)


def is_single(process: str, settings: Settings) -> bool:
    """Say whether a data folder may have only one such process at a time.

    On Kafka the partitions are shared out, so stages may run in several workers.
    """
    return settings.profile == "embedded" or process not in _SHARED


def run(process: str, inherited: Inherited) -> None:
    """Run one process until it is told to stop."""
    with open_house() as house:
        _MAINS[process](house, inherited)


def _mx(house: House, inherited: Inherited) -> None:
    async def main(stop: asyncio.Event) -> None:
        servers = {"smtp": house.mx(), "lmtp": house.lmtp()}
        for name, server in servers.items():
            await server.start_on(inherited.socket(name))
        inherited.ready()
        await stop.wait()
        await asyncio.gather(*(server.stop() for server in servers.values()))

    run_async(inherited, main)


def _stage(name: str) -> Callable[[House, Inherited], None]:
    def main(house: House, inherited: Inherited) -> None:
        stop = Stop(inherited)
        if is_single(name, house.settings):
            # One that outlived its supervisor may be about to end its last batch.
            lock(house.settings.run_path / f"{name}.process", 2 * GRACE)
        runner = house.runner(name)
        inherited.ready()
        if name == MAILBOX.name:
            in_background(house.settings, stop, stop.wait)
        runner.run(stop, stop.wait)
        runner.close()

    return main


def _outbound(house: House, inherited: Inherited) -> None:
    # Two of them would send each mail twice.
    lock(house.settings.run_path / "outbound.process", 2 * GRACE)
    dispatcher = house.outbound.dispatcher()

    async def main(stop: asyncio.Event) -> None:
        inherited.ready()
        await dispatcher.run(stop)

    run_async(inherited, main)


def _projections(nodes: Sequence[ProjectionNode]) -> Callable[[House, Inherited], None]:
    def main(house: House, inherited: Inherited) -> None:
        stop = Stop(inherited)
        if not all(_current(house, house.versions[n.name], inherited, stop) for n in nodes):
            return
        consumers = [house.projection_consumer(node.name) for node in nodes]
        inherited.ready()
        side_by_side([partial(c.run, stop, stop.wait) for c in consumers], stop.set)

    return main


def _current(house: House, versions: Versions, inherited: Inherited, stop: Stop) -> bool:
    """Build a projection anew when other code wrote it; False when it is time to stop."""
    try:
        versions.live_file()
    except NeedsRebuild as e:
        logger.warning("%s; building it anew", e)
    else:
        return True

    def told(progress: Progress) -> None:
        inherited.busy()
        if stop():
            raise _Stopped

    try:
        made = rebuild(house.log, versions, clock=house.clock, report=told)
    except _Stopped:
        # What is built is kept, and taken up by the next start.
        return False
    logger.warning("projection %s: version %d is live", made.name, made.version)
    return True


class _Stopped(Exception):
    pass


def _api(house: House, inherited: Inherited) -> None:
    async def main(stop: asyncio.Event) -> None:
        from api.rest.server import HttpServer

        server = HttpServer(house.api())
        serving = asyncio.create_task(server.serve(sockets=[inherited.socket("http")]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        inherited.ready()
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving

    run_async(inherited, main)


_MAINS: dict[str, Callable[[House, Inherited], None]] = {
    "mx": _mx,
    "inbound": _stage("inbound"),
    "mailbox": _stage("mailbox"),
    "lifecycle": _stage("lifecycle"),
    "views": _projections([node for node in PROJECTIONS if node != SEARCH]),
    "search": _projections([SEARCH]),
    "outbound": _outbound,
    "api": _api,
}
