"""How a mail flows, on one page. Every runner executes this page.

MX, submission, importer ──► mail.received
                               │
      INBOUND  store ▸ authenticate ▸ score ▸ route
                               ├──► mail.authenticated
                               ├──► mail.scored
                               ├──► mail.submitted ──► OUTBOUND  fold ▸ send
                               │                          └──► mail.attempted ──► RELEASE
                               └──► mailbox.commands  ◄── REST, IMAP, timers
                                       │
      MAILBOX  thread ▸ label ▸ deliver       (the one writer of a mailbox)
                                       └──► mailbox.events
                                               │
      LIFECYCLE  time ▸ count ▸ destroy ───────┤   (timers give mailbox.commands when due)
      with it RELEASE  count ▸ destroy         │   (of mail.attempted)
                                               │
      PROJECTIONS  mailbox · contacts · search   (each its own consumer)
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.topics import (
    MAIL_ATTEMPTED,
    MAIL_AUTHENTICATED,
    MAIL_RECEIVED,
    MAIL_SCORED,
    MAIL_SUBMITTED,
    MAILBOX_COMMANDS,
    MAILBOX_EVENTS,
)


@dataclass(frozen=True, slots=True)
class StageNode:
    """A chain of steps run by one consumer group."""

    name: str
    source: str
    steps: tuple[str, ...]
    sinks: tuple[str, ...]
    folds: str | None
    """The sink that the stage's own state is the fold of."""


@dataclass(frozen=True, slots=True)
class ProjectionNode:
    """A fold into what is read, run by one consumer."""

    name: str
    source: str


INBOUND = StageNode(
    name="inbound",
    source=MAIL_RECEIVED,
    steps=("store", "authenticate", "score", "route"),
    sinks=(MAIL_AUTHENTICATED, MAIL_SCORED, MAIL_SUBMITTED, MAILBOX_COMMANDS),
    folds=None,
)

MAILBOX = StageNode(
    name="mailbox",
    source=MAILBOX_COMMANDS,
    steps=("thread", "label", "deliver"),
    sinks=(MAILBOX_EVENTS,),
    folds=MAILBOX_EVENTS,
)

LIFECYCLE = StageNode(
    name="lifecycle",
    source=MAILBOX_EVENTS,
    steps=("time", "count", "destroy"),
    sinks=(MAILBOX_COMMANDS,),
    folds=None,
)

RELEASE = StageNode(
    name="release",
    source=MAIL_ATTEMPTED,
    steps=("count", "destroy"),
    sinks=(),
    folds=None,
)
"""Counts who needs a mail together with LIFECYCLE, and is run by the same process and thread."""

OUTBOUND = StageNode(
    name="outbound",
    source=MAIL_SUBMITTED,
    steps=("fold", "send"),
    sinks=(MAIL_SUBMITTED, MAIL_ATTEMPTED),
    folds=MAIL_ATTEMPTED,
)
"""Folds its two sinks into the queue, and waits for other hosts: no runner of stages hosts it, one
process of the installation does (streams/outbound/dispatch.py)."""

STAGES: tuple[StageNode, ...] = (INBOUND, MAILBOX, LIFECYCLE)
"""Those with a runner; mailfold/roles.py says which process has which."""

SEARCH = ProjectionNode("search", MAILBOX_EVENTS)

PROJECTIONS: tuple[ProjectionNode, ...] = (
    ProjectionNode("mailbox", MAILBOX_EVENTS),
    ProjectionNode("contacts", MAILBOX_EVENTS),
    SEARCH,
)
