"""What is wrong with what an installation holds, and with those who work on it."""

from __future__ import annotations

from collections.abc import Iterator

from infra.ports import PartMissing, Position, Record
from ingress.arrival import fingerprint_of
from mail.segments import SkeletonError, join
from mailfold.wiring import House
from projections.rebuild import distance
from schemas.codec import decode_as
from schemas.content import open_received, original
from schemas.events import Received
from schemas.seal import SealError
from schemas.topics import MAIL_RECEIVED, MAILBOX_EVENTS, TOPICS
from streams.topology import STAGES

_SAMPLE = 20
"""The latest mails of a partition that are opened."""

_SKEW = 60_000_000
"""By how much a clock may have been wrong, microseconds."""


def log(house: House) -> tuple[bool, str]:
    """Can the log be read?"""
    mails, events = (
        distance(house.log.begin(t), house.log.end(t)) for t in (MAIL_RECEIVED, MAILBOX_EVENTS)
    )
    return True, f"{mails} mails, {events} mailbox events"


def clock(house: House) -> tuple[bool, str]:
    """Is nothing recorded later than now?"""
    now = house.clock()
    ahead = sum(
        distance(house.log.position_at(topic, now + _SKEW), house.log.end(topic))
        for topic in TOPICS
    )
    if ahead:
        return False, f"{ahead} records are of a time to come; set the clock of this machine right"
    return True, "no record is of a time to come"


def keys(house: House) -> tuple[bool, str]:
    """Do the keys, the secret and the parts that are here open the latest mails?"""
    opened, erased = 0, 0
    for record in _latest(house, MAIL_RECEIVED):
        received = decode_as(Received, record.value)
        key = house.keys.get([received.mail_id]).get(received.mail_id)
        if key is None and house.keys.destroyed([received.mail_id]):
            erased += 1
            continue
        if key is None:
            return False, (
                f"mail {received.mail_id} has no key: keys.db is older than the log;"
                " put both back from one backup"
            )
        trouble = _trouble(house, received, key)
        if trouble:
            return False, f"mail {received.mail_id}: {trouble}; put back a backup that is whole"
        opened += 1
    return True, f"they open the latest {opened} mails" + (
        f" ({erased} are erased)" if erased else ""
    )


def _trouble(house: House, received: Received, key: bytes) -> str:
    try:
        secret = open_received(received, key)
        raw = original(secret, house.parts.get, house.fingerprint, join)
    except SealError as e:
        return f"its key does not open it ({e.reason})"
    except PartMissing:
        return "a part of it is missing in the folder parts"
    except SkeletonError:
        return "its parts do not fit together"
    if fingerprint_of(raw, house.fingerprint) != received.raw_hmac:
        return "the installation's secret is another one than when it came"
    return ""


def _latest(house: House, topic: str) -> Iterator[Record]:
    begin, end = house.log.begin(topic), house.log.end(topic)
    for partition, last in end.items():
        start: Position = {**end, partition: max(begin.get(partition, 0), last - _SAMPLE)}
        if start[partition] < last:
            reader = house.log.reader(topic, start)
            try:
                yield from (r for r in reader.poll(_SAMPLE, 1.0) if r.partition == partition)
            finally:
                reader.close()


def stages(house: House) -> tuple[bool, str]:
    """Does every stage keep up?"""
    lags = {
        s.name: distance(house.log.committed(s.name, s.source), house.log.end(s.source))
        for s in STAGES
    }
    text = ", ".join(f"{name} is {lag} records behind" for name, lag in lags.items())
    if max(lags.values()) > house.settings.lag_slow:
        return False, f"{text}; is `mailfold serve` running?"
    return True, text


def projection(house: House, name: str) -> tuple[bool, str]:
    """Is a projection of this code, whole, and at the end of the log?

    Raises NeedsRebuild, Unreadable, EngineDown, whose advice is the finding.
    """
    versions = house.versions[name]
    live = versions.live()
    view = versions.open(live)
    try:
        position = view.position()
        lag = distance(position, house.log.end(versions.source))
        if lag:
            reader = house.log.reader(versions.source, position)
            try:
                # Decoded as the consumer does it, and not written.
                view.apply(reader.poll(1, 1.0), lambda: False)
            finally:
                reader.close()
    finally:
        view.close()
    text = f"version {live.version} is {lag} records behind"
    if lag > house.settings.lag_slow:
        return False, f"{text}; is `mailfold serve` running?"
    return True, text


_PATIENCE = 4 * 3600 * 1_000_000
"""How long a mail may wait to be sent before somebody should look, microseconds."""


def forwarding(house: House) -> tuple[bool, str]:
    """Is mail to other hosts sealed, and does it go?"""
    remote = {a.alias.rpartition("@")[2] for a in house.directory.aliases() if a.remote}
    if not remote and not house.settings.outbound_path.exists():
        return True, "no alias leads to another host"
    without = sorted(d for d in remote if not house.domain_keys.of(d))
    if without:
        return False, (
            f"what {', '.join(without)} passes on is not sealed;"
            f" publish what `mailfold domain keys {without[0]}` prints"
        )
    house.outbound.follower.catch_up()
    backlog = house.outbound.backlog()
    text = f"{backlog.depth} mails wait to be sent, {backlog.held} are held back"
    if backlog.oldest_at and house.clock() - backlog.oldest_at > _PATIENCE:
        return False, f"{text}, some for hours; `mailfold queue list` says why"
    return True, text
