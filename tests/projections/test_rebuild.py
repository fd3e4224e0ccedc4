from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from infra.ports import EngineDown
from projections.consumer import Consumer, fold_until
from projections.rebuild import NothingKept, Progress, rebuild, roll_back, status
from projections.scrub import scrub
from projections.verify import verify
from projections.versions import KEEP, Dropped, NeedsRebuild
from schemas import mailbox_events as e
from tests.projections.kit import Kit


def test_the_first_version_is_made_by_its_first_use(kit: Kit) -> None:
    assert kit.heads() == dict.fromkeys(kit.seqs(), 0)
    assert kit.states() == [(1, "live")]


def test_a_rebuilt_version_is_live_and_the_old_one_kept(kit: Kit) -> None:
    kit.happen(300)
    kit.follow()
    before = kit.heads()
    assert rebuild(kit.log, kit.versions, clock=kit.clock).version == 2
    assert kit.states() == [(2, "live"), (1, "previous")]
    assert kit.heads() == before
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def test_a_rebuild_goes_no_further_back_than_the_live_version_though_it_lags(kit: Kit) -> None:
    kit.happen(100)
    kit.consumer.step(0.0)
    rebuild(kit.log, kit.versions, clock=kit.clock)
    assert kit.heads() == kit.seqs()
    kit.happen(50)
    kit.follow()
    assert kit.heads() == kit.seqs()
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def test_a_rebuild_that_was_cut_off_is_taken_up_where_it_stood(kit: Kit) -> None:
    kit.happen(300)
    kit.follow()
    done: list[int] = []

    def cut(progress: Progress) -> None:
        done.append(progress.done)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(kit.log, kit.versions, clock=kit.clock, report=cut, batch=40)
    assert kit.states() == [(1, "live"), (2, "building")]
    assert rebuild(kit.log, kit.versions, clock=kit.clock, report=cut, batch=40).version == 2
    assert done[3] == done[2] + 40
    assert kit.states() == [(2, "live"), (1, "previous")]


def test_progress_tells_rate_and_time_left(kit: Kit) -> None:
    kit.happen(100)
    total = sum(kit.log.end("mailbox.events").values())
    told: list[Progress] = []

    def report(progress: Progress) -> None:
        told.append(progress)
        kit.clock.advance(2)

    rebuild(kit.log, kit.versions, clock=kit.clock, report=report, batch=20)
    assert [p.total for p in told] == [total] * len(told)
    assert (told[0].eta, told[0].done) == (None, 20)
    assert (told[1].rate, told[1].eta) == (20.0, (total - 40) / 20)
    assert told[-1].done > total - 5


def test_a_swap_between_reading_and_writing_a_batch_loses_nothing(kit: Kit) -> None:
    kit.happen(200)
    kit.consumer.step(0.0)
    kit.log.polled = _once(kit, lambda: rebuild(kit.log, kit.versions, clock=kit.clock))
    kit.follow()
    kit.follow()
    assert kit.states()[0] == (2, "live")
    assert kit.heads() == kit.seqs()
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def _once(kit: Kit, act: Callable[[], object]) -> Callable[[], None]:
    def polled() -> None:
        kit.log.polled = lambda: None
        act()

    return polled


def test_rolled_back_the_old_version_is_live_at_the_head_that_readers_have_seen(kit: Kit) -> None:
    kit.happen(100)
    kit.follow()
    rebuild(kit.log, kit.versions, clock=kit.clock)
    kit.happen(100)
    kit.follow()
    before = kit.heads()
    assert roll_back(kit.log, kit.versions).version == 1
    assert kit.states() == [(1, "live"), (2, "previous")]
    assert kit.heads() == before
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def test_a_kept_version_that_lags_catches_up_before_it_is_live_again(kit: Kit) -> None:
    kit.happen(100)
    kit.follow()
    rebuild(kit.log, kit.versions, clock=kit.clock)
    kit.happen(100)
    live = kit.versions.open(kit.versions.live())
    live.apply(kit.log.reader("mailbox.events", live.position()).poll(1000, 0.0), lambda: True)
    live.close()
    before = kit.heads()
    roll_back(kit.log, kit.versions)
    assert kit.heads() == before == kit.seqs()


def test_without_a_kept_version_there_is_nothing_to_roll_back_to(kit: Kit) -> None:
    kit.happen(10)
    kit.follow()
    with pytest.raises(NothingKept):
        roll_back(kit.log, kit.versions)


def test_only_the_last_version_is_kept_and_it_goes_in_time(kit: Kit) -> None:
    kit.happen(20)
    kit.follow()
    for _ in range(3):
        rebuild(kit.log, kit.versions, clock=kit.clock)
        kit.follow()
    assert kit.states() == [(4, "live"), (3, "previous")]
    kit.clock.now += KEEP + 1
    kit.versions.expire()
    assert kit.states() == [(4, "live")]
    files = {p.name for p in kit.folder.glob("views-mailbox-*.db")}
    assert files == {"views-mailbox-4.db"}


def test_a_version_of_other_code_is_not_read_but_rebuilt(kit: Kit) -> None:
    kit.happen(100)
    kit.follow()
    kit.consumer.close()
    newer = kit.of_format(99)
    with pytest.raises(NeedsRebuild):
        newer.live_file()
    with pytest.raises(NeedsRebuild):
        newer.followed()
    assert rebuild(kit.log, newer, clock=kit.clock).version == 2
    assert [(v.version, v.state) for v in newer.list()] == [(2, "live")]
    assert newer.live_file().exists()
    newer.close()


def test_a_version_dropped_while_it_was_built_is_not_made_live(kit: Kit) -> None:
    kit.happen(100)
    kit.follow()

    def drop(_: Progress) -> None:
        for version in kit.versions.list():
            kit.versions.drop(version)

    with pytest.raises(Dropped):
        rebuild(kit.log, kit.versions, clock=kit.clock, report=drop)
    assert kit.states() == [(1, "live")]
    assert kit.heads() == kit.seqs()


def test_status_names_every_version_with_its_lag(kit: Kit) -> None:
    kit.happen(60)
    kit.follow()
    rebuild(kit.log, kit.versions, clock=kit.clock)
    kit.follow()
    end = kit.log.end("mailbox.events")
    kit.log.add(list(kit.history.deliver(kit.history.boxes[0])))
    added = sum(kit.log.end("mailbox.events").values()) - sum(end.values())
    found = [(s.name, s.version, s.state, s.lag) for s in status(kit.log, kit.versions)]
    assert found == [("mailbox", 2, "live", added), ("mailbox", 1, "previous", added)]


def test_heads_never_fall_and_reads_go_on_through_rebuilds_and_roll_backs(kit: Kit) -> None:
    kit.happen(200)
    kit.follow()
    mailbox_id = kit.history.boxes[0].mailbox_id
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        last = 0
        while not stop.is_set():
            try:
                page, head = kit.reader.list(mailbox_id, include_spam=True)
                count = kit.reader.counts(mailbox_id)
            except EngineDown as down:
                wrong.append(down)
                return
            ids = [m.message_id for m in page.messages]
            if not last <= head <= count.head or len(set(ids)) != len(ids):
                wrong.append((last, head, count.head))
            last = count.head

    def follow() -> None:
        consumer = kit.another_consumer(batch=7)
        while not stop.is_set():
            consumer.step(0.0)
        consumer.close()

    threads = [threading.Thread(target=read), threading.Thread(target=follow)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(6):
            kit.happen(40)
            if turn % 3 == 2:
                roll_back(kit.log, kit.versions)
            else:
                rebuild(kit.log, kit.versions, clock=kit.clock, batch=50)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    kit.follow()
    assert wrong == []
    assert kit.heads() == kit.seqs()
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def _holding(kit: Kit, text: str) -> set[str]:
    octets = text.encode()
    found = {p.name.split(".db")[0] for p in kit.folder.iterdir() if octets in p.read_bytes()}
    return {name for name in found if name != "views"}


def test_what_is_erased_is_in_no_file_of_any_version(kit: Kit) -> None:
    box = kit.history.boxes[0]
    events = list(kit.history.command(box))
    message = box.messages[0]
    for _ in range(20):
        events += kit.history.deliver(box)
    kit.log.add(events)
    kit.follow()
    rebuild(kit.log, kit.versions, clock=kit.clock)
    canary = message.digest.message_id_header
    assert _holding(kit, canary) == {"views-mailbox-1", "views-mailbox-2"}
    head = kit.history._head(box)  # pyright: ignore[reportPrivateUsage]
    kit.log.add(
        [e.Erased(**head, message_id=message.message_id, mail_id=message.mail_id, thread_id="")]
    )
    scrub(kit.log, kit.versions)
    assert _holding(kit, canary) == set()
    assert _holding(kit, box.messages[-1].digest.message_id_header) == {
        "views-mailbox-1",
        "views-mailbox-2",
    }


def _erased(kit: Kit) -> tuple[e.Erased, str]:
    """Deliver some mail and return what erases the first, and a text that only this one has."""
    box = kit.history.boxes[0]
    events = list(kit.history.command(box))
    message = box.messages[0]
    for _ in range(20):
        events += kit.history.deliver(box)
    kit.log.add(events)
    head = kit.history._head(box)  # pyright: ignore[reportPrivateUsage]
    erased = e.Erased(**head, message_id=message.message_id, mail_id=message.mail_id, thread_id="")
    return erased, message.digest.message_id_header


def test_what_a_consumer_that_died_had_still_to_clean_is_cleaned_by_the_next(kit: Kit) -> None:
    erased, canary = _erased(kit)
    kit.follow()

    class Died(Exception):
        pass

    def die(point: str) -> None:
        if point == "mailbox-view.committed":
            raise Died

    dying = Consumer(kit.log, kit.versions, kit.bell, checkpoint=die)
    kit.log.add([erased])
    with pytest.raises(Died):
        dying.step(0.0)
    # Its connection is left open, as by a process that is killed; nothing is checkpointed.
    assert _holding(kit, canary)
    kit.follow()
    assert _holding(kit, canary) == set()
    assert not kit.versions.unclean()
    dying.close()


def test_what_was_erased_during_a_rebuild_is_in_no_file_after_it(kit: Kit) -> None:
    erased, canary = _erased(kit)
    kit.follow()
    building = kit.versions.open(kit.versions.begin())
    fold_until(kit.log, kit.versions.source, building, kit.log.end(kit.versions.source))
    building.close()
    kit.log.add([erased])
    kit.follow()
    held = kit.versions.open(kit.versions.list()[-1])
    rebuild(kit.log, kit.versions, clock=kit.clock)
    # Something else has it open, so its log is not taken into the file by the last to close it.
    assert _holding(kit, canary) == {"views-mailbox-2"}
    kit.follow()
    assert _holding(kit, canary) == set()
    held.close()


def test_an_erasure_drops_a_version_in_the_making(kit: Kit) -> None:
    kit.happen(50)
    kit.follow()
    kit.versions.begin()
    scrub(kit.log, kit.versions)
    assert kit.states() == [(1, "live")]
