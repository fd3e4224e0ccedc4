"""What every way of waking does."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable

import pytest

from infra.ports import Wake

WAIT = 30.0


class WakeContract:
    """Port Wake. `another` gives what a second process of the installation would have."""

    @pytest.fixture
    def wake(self) -> Wake:
        raise AssertionError("the adapter's test gives it")

    @pytest.fixture
    def another(self) -> Callable[[], Wake]:
        raise AssertionError("the adapter's test gives it a second time")

    def test_a_listener_hears(self, wake: Wake, another: Callable[[], Wake]) -> None:
        listener = wake.listen("mail.received")
        another().notify("mail.received")
        assert listener.wait(WAIT)
        listener.close()

    def test_nothing_notified_is_nothing_heard(self, wake: Wake) -> None:
        listener = wake.listen("mail.received")
        assert not listener.wait(0.0)
        listener.close()

    def test_channels_are_apart(self, wake: Wake) -> None:
        one, two = wake.listen("mail.received"), wake.listen("mail")
        wake.notify("mail.received")
        assert one.wait(WAIT)
        assert not two.wait(0.0)
        one.close()
        two.close()

    def test_all_listeners_of_a_channel_hear(self, wake: Wake) -> None:
        listeners = [wake.listen("mail.received") for _ in range(3)]
        wake.notify("mail.received")
        assert all(x.wait(WAIT) for x in listeners)
        for x in listeners:
            x.close()

    def test_what_was_notified_before_is_not_heard(self, wake: Wake) -> None:
        wake.notify("mail.received")
        listener = wake.listen("mail.received")
        assert not listener.wait(0.0)
        listener.close()

    def test_notifications_wait_for_the_listener(self, wake: Wake) -> None:
        listener = wake.listen("mail.received")
        wake.notify("mail.received")
        assert listener.wait(0.0)
        listener.close()

    def test_waiting_takes_all_that_was_notified(self, wake: Wake) -> None:
        listener = wake.listen("mail.received")
        for _ in range(5):
            wake.notify("mail.received")
        assert listener.wait(WAIT)
        assert not listener.wait(0.0)
        listener.close()

    def test_draining_takes_all_that_was_notified(self, wake: Wake) -> None:
        listener = wake.listen("mail.received")
        listener.drain()
        wake.notify("mail.received")
        listener.drain()
        assert not listener.wait(0.0)
        listener.close()

    def test_the_descriptor_is_readable_when_something_was_notified(self, wake: Wake) -> None:
        listener = wake.listen("mail.received")
        assert select.select([listener.fileno()], [], [], 0.0)[0] == []
        wake.notify("mail.received")
        assert select.select([listener.fileno()], [], [], WAIT)[0] == [listener.fileno()]
        listener.close()

    def test_notifying_nobody_is_nothing(self, wake: Wake) -> None:
        wake.notify("mail.received")
        listener = wake.listen("mail.received")
        listener.close()
        wake.notify("mail.received")

    def test_one_who_never_listens_holds_up_nobody(self, wake: Wake) -> None:
        deaf, listener = wake.listen("mail.received"), wake.listen("mail.received")
        for _ in range(5000):
            wake.notify("mail.received")
        assert listener.wait(WAIT)
        assert deaf.wait(WAIT)
        deaf.close()
        listener.close()

    def test_a_waiter_is_woken(self, wake: Wake, another: Callable[[], Wake]) -> None:
        listener = wake.listen("mail.received")
        heard: list[bool] = []
        thread = threading.Thread(target=lambda: heard.append(listener.wait(WAIT)))
        thread.start()
        another().notify("mail.received")
        thread.join(WAIT)
        listener.close()
        assert heard == [True]
