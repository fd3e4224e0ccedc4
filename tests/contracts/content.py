"""What every content store does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.ports import Content, ContentStore, Record
from schemas.identity import derived

Receive = Callable[[int], Record]


def content(received: Record, mark: bytes = b"") -> Content:
    return Content(received, b"authenticated" + mark, b"scored" + mark, b"digest" + mark)


class ContentStoreContract:
    """Port ContentStore. `receive` makes the n-th Received and gives it as the log has it."""

    @pytest.fixture
    def contents(self) -> ContentStore:
        raise AssertionError("the adapter's test gives the store")

    @pytest.fixture
    def reopen(self) -> Callable[[], ContentStore]:
        raise AssertionError("the adapter's test gives a second store")

    @pytest.fixture
    def receive(self) -> Receive:
        raise AssertionError("the adapter's test gives a Received")

    def test_content_is_given_back(self, contents: ContentStore, receive: Receive) -> None:
        given = {r.key: content(r) for r in (receive(1), receive(2))}
        assert contents.put(given) == given
        assert contents.get(list(given)) == given

    def test_content_that_never_was_is_missing(
        self, contents: ContentStore, receive: Receive
    ) -> None:
        one, two = receive(1), receive(2)
        contents.put({one.key: content(one)})
        assert set(contents.get([two.key, one.key])) == {one.key}

    def test_it_says_which_of_many_it_has(self, contents: ContentStore, receive: Receive) -> None:
        one, two = receive(1), receive(2)
        contents.put({one.key: content(one), two.key: content(two)})
        never = [derived(str(n)) for n in range(1_200)]
        assert contents.having([*never, two.key, one.key]) == {one.key, two.key}
        assert contents.having([]) == frozenset()

    def test_the_first_put_counts(self, contents: ContentStore, receive: Receive) -> None:
        one, two = receive(1), receive(2)
        first = content(one)
        contents.put({one.key: first})
        stored = contents.put({one.key: content(one, b"later"), two.key: content(two)})
        assert stored == {one.key: first, two.key: content(two)}
        assert contents.get([one.key, two.key]) == stored

    def test_nothing_asked_is_nothing_given(self, contents: ContentStore) -> None:
        assert contents.put({}) == {}
        assert contents.get([]) == {}

    def test_empty_parts_are_kept_as_such(self, contents: ContentStore, receive: Receive) -> None:
        one = receive(1)
        given = {one.key: Content(one, b"", b"", b"")}
        contents.put(given)
        assert contents.get([one.key]) == given

    def test_content_is_there_for_another(
        self,
        contents: ContentStore,
        reopen: Callable[[], ContentStore],
        receive: Receive,
    ) -> None:
        one = receive(1)
        contents.put({one.key: content(one)})
        assert reopen().get([one.key]) == {one.key: content(one)}
