"""Bring every version of a projection to the end of the log, and leave nothing deleted behind."""

from __future__ import annotations

from infra.ports import EventLog
from projections.consumer import fold_until
from projections.versions import NeedsRebuild, Versions


def scrub(log: EventLog, versions: Versions) -> None:
    """Make what the log has erased by now gone from all files of the projection.

    A version in the making is dropped, for its fold may be far from the end; so is one that other
    code wrote and that is not live. Raises EngineDown, NeedsRebuild when the live one is such.
    """
    versions.sweep()
    versions.mark_unclean()
    with versions.cleaning():
        for version in versions.list():
            if version.state == "building":
                versions.drop(version)
                continue
            try:
                projection = versions.open(version)
            except NeedsRebuild:
                if version.state == "live":
                    raise
                versions.drop(version)
                continue
            try:
                # The live one comes first in the list: no kept one is ever ahead of it.
                fold_until(log, versions.source, projection, log.end(versions.source))
                projection.scrub()
            finally:
                projection.close()
