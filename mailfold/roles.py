"""What each process of the house does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from mailfold.process import GRACE, Stop, side_by_side
from mailfold.settings import Settings
from mailfold.supervisor import Inherited, Role, lock
from mailfold.turns import Turn, Turns
from mailfold.upkeep import in_background
from mailfold.wiring import House, open_house
from projections.rebuild import Progress, rebuild
from projections.versions import NeedsRebuild, Versions
from streams.topology import (
    INBOUND,
    LIFECYCLE,
    MAILBOX,
    PROJECTIONS,
    SEARCH,
    ProjectionNode,
)

ROLES: tuple[str, ...] = ("mx", "streams", "projections", "outbound", "api")
"""What `serve --role` takes."""

_PARTS: dict[str, tuple[str, ...]] = {
    "mx": ("mx",),
    "streams": (INBOUND.name, MAILBOX.name, LIFECYCLE.name),
    # Taking text apart is work for the processor: beside another fold it would hold that up.
    "projections": ("views", "search"),
    "outbound": ("outbound",),
    "api": ("api",),
}
"""What each role is made of: a part is in one process whole."""

_SERVERS = ("mx", "outbound", "api")

_SOCKETS: dict[str, tuple[str, ...]] = {"mx": ("smtp", "lmtp"), "api": ("http",)}

_QUICK = ("mailbox", "lifecycle", "views")
"""What follows the mailbox stage and is quick: on one machine one process has them in turn."""

_LIFECYCLE_REST = 1.0
"""Seconds between two looks at what the lifecycle stage has to do: nobody waits for it, and each of
its commits is an fsync of the file that mail waits for."""

_NODES: dict[str, tuple[ProjectionNode, ...]] = {
    "views": tuple(node for node in PROJECTIONS if node != SEARCH),
    SEARCH.name: (SEARCH,),
}

logger = logging.getLogger(__name__)


def processes(names: Sequence[str], settings: Settings) -> list[Role]:
    """Return the processes that serve roles of the names in ROLES."""
    parts = [part for name in names for part in _PARTS[name]]
    if settings.profile == "cluster":
        return [Role(part, (part,), _SOCKETS.get(part, ())) for part in parts]
    quick = tuple(part for part in parts if part in _QUICK)
    groups = [(part,) for part in parts if part not in quick] + [quick] * bool(quick)
    return [
        Role(parts[0] if len(parts) == 1 else "mailboxes", parts, _SOCKETS.get(parts[0], ()))
        for parts in groups
    ]


def is_single(part: str, settings: Settings) -> bool:
    """Say whether a data folder may have only one such part at a time.

    On Kafka the partitions are shared out, so stages may run in several workers.
    """
    return settings.profile == "embedded" or part not in _PARTS["streams"]


def run(parts: Sequence[str], inherited: Inherited) -> None:
    """Run the parts of one process until it is told to stop."""
    with open_house() as house:
        for part in parts:
            # One that outlived its supervisor may be about to end its last batch.
            if part not in _SOCKETS and is_single(part, house.settings):
                lock(house.settings.run_path / f"{part}.process", 2 * GRACE)
        if parts[0] in _SERVERS:
            # Loaded here: an event loop and its servers are a good part of a process's memory.
            from mailfold import servers

            getattr(servers, parts[0])(house, inherited)
        elif house.settings.profile == "cluster":
            _on_kafka(house, inherited, parts[0])
        else:
            _in_turn(house, inherited, parts)


def _turns(house: House, part: str) -> list[Turn]:
    if part == LIFECYCLE.name:
        return [Turn(part, lambda: house.stepping(part), _LIFECYCLE_REST)]
    if part in _NODES:
        return [
            Turn(f"projection {node.name}", partial(house.projection_consumer, node.name))
            for node in _NODES[part]
        ]
    return [Turn(part, lambda: house.stepping(part))]


def _in_turn(house: House, inherited: Inherited, parts: Sequence[str]) -> None:
    stop = Stop(inherited)
    works = [partial(Turns([t for p in parts for t in _turns(house, p)]).run, stop, stop.wait)]
    if MAILBOX.name in parts:
        in_background(house.settings, stop, stop.wait)
    nodes = [node for part in parts for node in _NODES.get(part, ())]
    if any(_is_old(house.versions[node.name]) for node in nodes):
        # Mail goes on meanwhile.
        works.append(partial(_renew, nodes, inherited, stop))
    else:
        inherited.ready()
    side_by_side(works, stop.set)


def _on_kafka(house: House, inherited: Inherited, part: str) -> None:
    stop = Stop(inherited)
    nodes = _NODES.get(part, ())
    if not all(_current(house, house.versions[n.name], inherited, stop) for n in nodes):
        return
    inherited.ready()
    if part == MAILBOX.name:
        in_background(house.settings, stop, stop.wait)
    if part in (INBOUND.name, MAILBOX.name):
        runner = house.runner(part)
        runner.run(stop, stop.wait)
        runner.close()
        return
    # Each waits for its own consumer of the broker's.
    loops = [Turns([turn]) for turn in _turns(house, part)]
    side_by_side([partial(loop.run, stop, stop.wait) for loop in loops], stop.set)


def _is_old(versions: Versions) -> bool:
    try:
        versions.live_file()
    except NeedsRebuild:
        return True
    return False


def _renew(nodes: Sequence[ProjectionNode], inherited: Inherited, stop: Stop) -> None:
    """Build anew what other code wrote, then say that this process serves."""
    # Files of a thread's own: what is built is no part of another thread's transaction.
    with open_house() as house:
        if all(_current(house, house.versions[n.name], inherited, stop) for n in nodes):
            inherited.ready()


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
