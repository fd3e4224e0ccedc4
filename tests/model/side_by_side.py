"""Many histories on one rig, a step of each at a time, each held against the model by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from random import Random

from schemas import commands as c
from tests.model.driver import Driver, Misread
from tests.model.histories import Step, history
from tests.model.kafka_rig import KafkaRig
from tests.model.naive import Naive
from tests.model.view import difference

Outcomes = dict[str, tuple[int, tuple[tuple[str, str], ...]]]
"""(seq, refusals) by command."""

Befall = Callable[[int], None]
"""Called before each round, with its number: what happens to the rig then."""


class SideBySide:
    """Tells the histories of `seeds`; they share no mailbox, no mail and no label."""

    def __init__(self, rig: KafkaRig, seeds: Sequence[int], random: Random) -> None:
        self._rig = rig
        self._random = random
        self._driver = Driver(rig)
        self._model = Naive()
        self._histories = {seed: history(seed) for seed in seeds}
        self._seed_of: dict[str, int] = {}
        self._folded: set[str] = set()

    def tell(self, befall: Befall) -> None:
        """Tell all to their ends. Raises AssertionError, which names the seed that differs."""
        for number, step in enumerate(self._rounds()):
            self._model.apply(step.commands, step.letters, step.secrets)
            befall(number)
            kills = self._rig.kills
            try:
                self._driver.submit(step.commands, step.letters, step.secrets)
                self._compare(number, self._rig.kills > kills)
            except Misread as error:
                seed = self._seed_of[error.mailbox_id]
                raise AssertionError(f"history {seed}, step {number}: {error}") from error
        self._compare_outcomes()

    def _rounds(self) -> Iterator[Step]:
        """Yield the next steps of all histories as one, until all have ended."""
        while True:
            steps: list[list[c.Command]] = []
            merged = Step(0)
            for seed, told in self._histories.items():
                step = next(told, None)
                if step is None:
                    continue
                self._seed_of.update((x.mailbox_id, seed) for x in step.commands)
                steps.append(step.commands)
                merged.letters.update(step.letters)
                merged.secrets.update(step.secrets)
            if not steps:
                return
            merged.commands = list(shuffled(steps, self._random))
            yield merged

    def _compare(self, number: int, killed: bool) -> None:
        seen, expected = self._driver.visible(), self._model.view()
        assert seen.keys() == expected.keys()
        for mailbox_id in sorted(seen, key=self._seed_of.__getitem__):
            found, right = seen[mailbox_id], expected[mailbox_id]
            if killed:
                self._folded |= self._without_refusals(mailbox_id, found.outcomes, right.outcomes)
            known = {k: right.outcomes[k] for k in found.outcomes.keys() & self._folded}
            found = dataclasses.replace(found, outcomes={**found.outcomes, **known})
            wrong = difference(found, right)
            assert not wrong, f"history {self._seed_of[mailbox_id]}, step {number}: {wrong}"

    def _compare_outcomes(self) -> None:
        """What was judged again in a takeover has the outcome that it had."""
        for mailbox_id, view in self._model.view().items():
            kept: Outcomes = {}
            for command_id in view.outcomes:
                outcome = self._rig.outcomes.outcome(mailbox_id, command_id)
                if outcome is not None:
                    refused = tuple((r.message_id, r.code) for r in outcome.refusals)
                    kept[command_id] = (outcome.seq, refused)
            folded = self._without_refusals(mailbox_id, kept, view.outcomes)
            found = {**kept, **{k: view.outcomes[k] for k in folded}}
            assert found == view.outcomes, f"history {self._seed_of[mailbox_id]}: {found}"

    def _without_refusals(self, mailbox_id: str, found: Outcomes, right: Outcomes) -> set[str]:
        """Return the commands of which the effect is known, and not what of them was refused.

        So it is when a crash came between the two: the state is folded from events, which do not
        tell refusals. What had no effect is judged again, and its refusals are known.
        """
        causes = self._driver.causes(mailbox_id)
        return {k for k, (seq, _) in right.items() if k in causes and found.get(k) == (seq, ())}


def shuffled(lists: Sequence[Sequence[c.Command]], random: Random) -> Iterator[c.Command]:
    """Yield what is in the lists in any order that keeps each one's own."""
    turns = [n for n, each in enumerate(lists) for _ in each]
    random.shuffle(turns)
    left = [iter(each) for each in lists]
    for n in turns:
        yield next(left[n])
