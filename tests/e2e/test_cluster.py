"""The end-to-end suite on the cluster profile: Kafka as the log, by both runners."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import apsw
import pytest

from schemas.identity import from_bytes
from tests.e2e.suite import ANN, BOB, EndToEnd, fresh, listed
from tests.system import System, mail

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["faust", "consumer"])
def system(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    made = System(
        tmp_path_factory.mktemp("cluster") / "data",
        {
            "MAILFOLD_PROFILE": "cluster",
            "MAILFOLD_RUNNER": request.param,
            "MAILFOLD_KAFKA": kafka,
            "MAILFOLD_PARTITIONS": "4",
            "MAILFOLD_TOPIC_PREFIX": f"{uuid.uuid4().hex[:12]}.",
        },
    )
    made.add_account("ann")
    made.add_account("bob")
    made.start()
    yield made
    assert made.stop() == 0


class TestCluster(EndToEnd):
    """The suite."""

    def test_the_state_of_the_mailbox_stage_can_be_lost(self, system: System) -> None:
        system.stop()
        before = mailbox_rows(system)
        with closing(state(system)) as c:
            for table in (*TABLES, "box", "box_outcome"):
                c.execute(f"delete from {table}")
            c.execute("delete from stage_progress where stage = 'mailbox'")
        system.start()
        system.send(mail(subject := fresh()), [ANN, BOB])
        with system.api(ANN) as ann, system.api(BOB) as bob:
            new = {listed(ann, subject)["id"], listed(bob, subject)["id"]}
        after = mailbox_rows(system)
        assert [row for row in before if row not in after] == []
        messages = [row for row in after if row not in before and row[0] == "box_message"]
        assert {str(uuid.UUID(row[3])) for row in messages} == new


TABLES = (
    "box_message",
    "box_thread",
    "box_reference",
    "box_candidate",
    "box_retry",
    "box_label",
    "box_filter",
)


def state(system: System) -> apsw.Connection:
    """Open the file of the stages' state."""
    return apsw.Connection(str(system.data / "state.db"))


def mailbox_rows(system: System) -> list[tuple[str, ...]]:
    """Return what the mailbox stage knows: table, mailbox, then the row, octets in hex."""
    found: list[tuple[str, ...]] = []
    with closing(state(system)) as c:
        for table in TABLES:
            for mailbox_id, row in (
                (from_bytes(r[0]), r[2:])
                for r in c.execute(
                    f"select mailbox_id, t.* from {table} t join box on box.id = t.box"
                )
            ):
                columns = [x.hex() if isinstance(x, bytes) else str(x) for x in row]
                found.append((table, mailbox_id, *columns))
    return found
