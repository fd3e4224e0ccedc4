"""Import through the intake, as the command line does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from ingress.importer.run import Report, Target, bring_in
from ingress.importer.sources import Meter, mails
from mailfold.mailboxes import label_id
from mailfold.wiring import House


def import_paths(
    house: House,
    paths: Sequence[Path],
    mailbox_id: str,
    label: str | None,
    told: Callable[[int, int | None], None],
) -> Report:
    """Import what is found under `paths`; `told(done, total)` hears of the progress in octets."""
    target = Target(
        mailbox_id=mailbox_id,
        intake=house.intake,
        keys=house.keys,
        known=house.engines.received,
        label_of=lambda name: label_id(house, mailbox_id, name),
        clock=house.clock,
        random=house.random,
        fingerprint=house.fingerprint,
        labels=(label,) if label else (),
    )
    meter = Meter()
    return asyncio.run(
        bring_in(mails(paths, meter), target, progress=lambda _: told(meter.done, meter.total))
    )
