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
    told: Callable[[int, int | None, str], None],
) -> Report:
    """Import what is found under `paths`.

    `told(done, total, note)` hears of the progress in octets, with the number of mails beside it.
    """
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

    def tell(report: Report) -> None:
        told(meter.done, meter.total, f"{report.seen:,} mails")

    return asyncio.run(bring_in(mails(paths, meter), target, progress=tell))
