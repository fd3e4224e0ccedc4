"""The REST application with the ports that it reads from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from api.rest.app import create_app
from api.services import ApiSettings, Services
from projections.consumer import CHANNEL as VIEWS_CHANNEL
from streams.topology import MAILBOX

if TYPE_CHECKING:
    from mailfold.wiring import House


def rest(house: House) -> FastAPI:
    """Return the REST application."""
    s = house.settings
    return create_app(
        Services(
            directory=house.directory,
            reader=house.reader,
            search=house.search,
            threads=house.threads,
            contacts=house.contacts,
            log=house.log,
            outcomes=house.outcomes,
            keys=house.keys,
            content=house.content,
            parts=house.parts,
            fingerprint=house.fingerprint,
            wake=house.wake,
            channels=(f"stage.{MAILBOX.name}", VIEWS_CHANNEL),
            limits=house.limits,
            lag=house.lag,
            backlogs=house.outbound,
            clock=house.clock,
            random=house.random,
            settings=ApiSettings(
                authserv_id=s.hostname, undelete_window=int(s.undelete_days * 86400)
            ),
        )
    )
