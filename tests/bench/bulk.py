"""Fill a mailbox with mail that is written where the inbound stage writes it.

Door, authentication and scoring are left out, which take most of the time of a mail; keys, log,
content store and the mailbox stage are the product's own, so what is made is an installation like
any other, and the projections are built by `mailfold projection rebuild`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import cast

from infra.ports import Content, Output, Record, TransactionalLog
from mail.message import digest
from mail.segments import split
from mailfold.mailboxes import label_id
from mailfold.settings import load
from mailfold.wiring import House, open_house
from schemas.codec import encode
from schemas.events import Received
from schemas.identity import derived, imported_mail_id
from schemas.parts import ReceivedSecret
from schemas.seal import new_key, seal
from schemas.topics import MAIL_RECEIVED
from streams.inbound import route, score, unjudged
from streams.inbound.digest import to_record
from streams.topology import INBOUND, MAILBOX
from tests.bench.variation import Variation

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail on its way into a mailbox: labels by identifier, its date in microseconds."""

    raw: bytes
    date: int
    labels: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


LABELS = {"half": (2, 0), "work": (5, 0), "rare": (5000, 7)}
"""Labels of `mailbox_of`: which remainder is in it, of how many."""


def mailbox_of(
    data: Path,
    address: str,
    count: int,
    variation: Variation,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Put `count` mails into the mailbox of `address`, which no process serves; return octets.

    One of ten is unread. Nothing of it is in a projection afterwards. Raises EngineDown.
    """
    with open_house(load(data=data)) as house:
        house.prepare()
        account = house.directory.account(address)
        assert account is not None, f"there is no account {address}"
        names = {name: label_id(house, account.mailbox_id, name) for name in LABELS}
        letters = (
            Letter(
                variation.raw(n),
                variation.date(n),
                ("INBOX", *(names[x] for x, (every, at) in LABELS.items() if n % every == at)),
                () if n % 10 == 0 else ("seen",),
            )
            for n in range(count)
        )
        return fill(house, account.mailbox_id, letters, told)


def fill(
    house: House,
    mailbox_id: str,
    letters: Iterable[Letter],
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Deliver letters into a mailbox of an installation that nobody serves; return their octets.

    Each batch goes through the mailbox stage at once. `told` hears how many are delivered. Raises
    EngineDown.
    """
    log = cast("TransactionalLog", house.log)
    stage = house.stepping(MAILBOX.name)
    octets = done = 0
    it = iter(letters)
    while batch := list(islice(it, _BATCH)):
        octets += sum(len(x.raw) for x in batch)
        _receive(house, log, mailbox_id, batch)
        while stage.step():
            pass
        done += len(batch)
        told(done)
    stage.close()
    return octets


def _receive(house: House, log: TransactionalLog, mailbox_id: str, batch: Sequence[Letter]) -> None:
    made = [_received(house, mailbox_id, letter) for letter in batch]
    house.keys.put({received.mail_id: key for received, key in made})
    outputs = [Output.of(received) for received, _ in made]
    with log.transaction() as tx:
        first = log.end(MAIL_RECEIVED).get(0, 0)
        tx.append(outputs)
        contents: dict[str, Content] = {}
        judged: list[Output] = []
        for n, ((received, key), out, letter) in enumerate(zip(made, outputs, batch, strict=True)):
            record = Record(out.topic, 0, first + n, out.key, out.type, out.event_id, 0, out.value)
            authenticated = unjudged.event(received, key, os.urandom)
            scored = score.unknown(received, key, "bulk", os.urandom)
            contents[received.mail_id] = Content(
                record,
                encode(authenticated),
                encode(scored),
                seal(to_record(digest(letter.raw)), key, received.mail_id),
            )
            judged += map(Output.of, route.commands(received, authenticated, scored))
        house.content.put(contents)
        tx.append(judged)
        tx.commit_position(INBOUND.name, MAIL_RECEIVED, {0: first + len(batch)})


def _received(house: House, mailbox_id: str, letter: Letter) -> tuple[Received, bytes]:
    key = new_key()
    raw_hmac = house.fingerprint.raw(sha256(letter.raw).digest())
    mail_id = imported_mail_id(mailbox_id, raw_hmac)
    event_id = derived("received", mail_id)
    secret = ReceivedSecret(
        client_address="",
        client_name="",
        helo="",
        reverse_path="",
        forward_paths=[],
        # What is large enough to be cut out is left in: the parts store is not what is measured.
        skeleton=split(letter.raw, large=len(letter.raw)).skeleton,
    )
    received = Received(
        event_id=event_id,
        mail_id=mail_id,
        occurred_at=letter.date,
        source="import",
        size=len(letter.raw),
        received_at=letter.date,
        internal_date=letter.date,
        mailboxes=[mailbox_id],
        labels=list(letter.labels),
        flags=list(letter.flags),
        raw_hmac=raw_hmac,
        reverse_path_hmac=house.fingerprint.reverse_path(""),
        sealed=seal(secret, key, event_id),
    )
    return received, key
