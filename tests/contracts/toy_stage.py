"""A small stage with state, for the contract of runners: it numbers the commands of each key.

Its state is the fold of its outputs, as a real stage's is. A label called `poison` can't be
processed until `healed` is set; one called `down` raises EngineDown once; one called `at-N` has an
effect only when N commands of its key had one before it. That a command was judged is remembered
whether it had an effect or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infra.ports import EngineDown, Output, Record
from schemas.codec import decode_as
from schemas.commands import DeleteLabel
from schemas.identity import derived, event_id
from schemas.mailbox_events import LabelDeleted
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from streams.stage import Poison


def key_of(name: str) -> str:
    """Return the key that a short name stands for."""
    return derived("key", name)


def command(key: str, label: str) -> Output:
    """Return a command; the same key and label are the same command."""
    return Output.of(
        DeleteLabel(
            command_id=derived("command", key, label),
            mailbox_id=key_of(key),
            occurred_at=1,
            actor="user",
            label_id=label,
        )
    )


def seen(records: Iterable[Record], key: str) -> list[tuple[int, str]]:
    """Return (seq, label) of each output of a key, first of each event_id only."""
    found: dict[str, tuple[int, str]] = {}
    for r in records:
        if r.key == key_of(key):
            e = decode_as(LabelDeleted, r.value)
            found.setdefault(r.event_id, (e.seq, e.label_id))
    return list(found.values())


class ToyState(Protocol):
    """Where the toy keeps what it has done, written within the runner's own transaction."""

    def load(self, keys: Sequence[str]) -> Mapping[str, tuple[int, frozenset[str]]]:
        """Return (last seq, command ids) of each key."""
        ...

    def save(self, rows: Mapping[str, tuple[int, frozenset[str]]]) -> None:
        """Replace rows."""
        ...


@dataclass
class ToyPlan:
    """Decided outputs and the rows they imply."""

    outputs: list[Output] = field(default_factory=list)
    rows: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)


class ToyStage:
    """The stage."""

    source = MAILBOX_COMMANDS
    folds: str | None = MAILBOX_EVENTS

    def __init__(self, state: ToyState, name: str = "mailbox") -> None:
        self.name = name
        self.state = state
        self.healed = False
        self.downs = 0

    def plan(self, batch: Sequence[Record]) -> ToyPlan:
        """Number the commands."""
        rows = dict(self.state.load(sorted({r.key for r in batch})))
        plan = ToyPlan()
        for r in batch:
            c = decode_as(DeleteLabel, r.value)
            if c.label_id == "poison" and not self.healed:
                raise Poison("toy-poison")
            if c.label_id == "down" and self.downs == 0:
                self.downs += 1
                raise EngineDown("toy")
            seq, done = rows.get(r.key, (0, frozenset()))
            if c.command_id in done:
                continue
            done |= {c.command_id}
            if c.label_id.startswith("at-") and c.label_id != f"at-{seq}":
                rows[r.key] = plan.rows[r.key] = (seq, done)
                continue
            rows[r.key] = plan.rows[r.key] = (seq + 1, done)
            plan.outputs.append(
                Output.of(
                    LabelDeleted(
                        event_id=event_id(c.command_id, "toy"),
                        mailbox_id=r.key,
                        seq=seq + 1,
                        occurred_at=1,
                        recorded_at=1,
                        caused_by=c.command_id,
                        label_id=c.label_id,
                    )
                )
            )
        return plan

    def settle(self, plan: ToyPlan) -> Sequence[Output]:
        """Return the outputs."""
        return plan.outputs

    def remember(self, plan: ToyPlan) -> None:
        """Save the rows."""
        self.state.save(plan.rows)

    def recover(self, outputs: Sequence[Record]) -> None:
        """Fold outputs that the state has not seen."""
        rows = dict(self.state.load(sorted({r.key for r in outputs})))
        for r in outputs:
            e = decode_as(LabelDeleted, r.value)
            seq, done = rows.get(r.key, (0, frozenset()))
            if e.seq > seq:
                rows[r.key] = (e.seq, done | {e.caused_by})
        self.state.save(rows)
