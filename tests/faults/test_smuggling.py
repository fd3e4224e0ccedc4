"""SMTP smuggling against the whole server: what is no end of a message begins no second one.

Each sequence stands in the middle of a message and is followed by a whole transaction, in one
write and byte by byte.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.faults import audit
from tests.faults.installations import EMBEDDED, Installations
from tests.system import System, mail

FALSE_ENDS = (b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\r", b"\r\n.\n")
HELLO = {"smtp": b"EHLO client.example\r\n", "lmtp": b"LHLO client.example\r\n"}
FIRST = b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n"
SECOND = (
    b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
)
REPLY = re.compile(rb"(?:[2-5]\d\d-[^\r\n]*\r\n)*[2-5]\d\d (?:\d\.\d\.\d )?[^\r\n]*\r\n")
DOORS = pytest.mark.parametrize("door", sorted(HELLO))
WHOLE, BYTES = "in one write", "byte by byte"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    install = Installations(EMBEDDED, tmp_path_factory.mktemp("smuggling"), {})
    yield install("ann", "bob").start()
    install.stop()


def spoken(system: System, door: str, stream: bytes, way: str) -> list[bytes]:
    """Return the replies to a whole session. A time-out is a hang."""
    stream = HELLO[door] + stream
    with socket.create_connection(system.where[door], 30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = len(stream) if way == WHOLE else 1
        for i in range(0, len(stream), step):
            client.sendall(stream[i : i + step])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    replies = REPLY.findall(answer)
    assert b"".join(replies) == answer
    return replies


def subjects(system: System, name: str) -> list[str]:
    """Return what an account's mailbox lists, once all that was accepted is there."""
    audit.settled(system)
    with system.api(f"{name}@example.test") as api:
        return [m["subject"] for m in audit.all_messages(api)]


@DOORS
def test_no_sequence_smuggles_a_second_message_in(system: System, door: str) -> None:
    sequences = [*FALSE_ENDS, *(end.replace(b".", b"..") for end in FALSE_ENDS)]
    for way in (WHOLE, BYTES):
        for end in sequences:
            body = b"Subject: first\r\n\r\nfirst" + end + SECOND
            replies = spoken(system, door, FIRST + body + b"QUIT\r\n", way)
            # Everything up to the true end, that of the second message, is one message.
            codes = [r[:3] for r in replies]
            assert codes == [b"220", b"250", b"250", b"250", b"354", b"550", b"221"], (end, way)
            assert replies[5].startswith(b"550 5.6.0 "), (end, way)
    assert subjects(system, "ann") == subjects(system, "bob") == []


@DOORS
def test_a_second_message_behind_a_true_end_is_a_message(system: System, door: str) -> None:
    for way in (WHOLE, BYTES):
        body = f"Subject: first {way} {door}\r\n\r\nfirst\r\n.\r\n".encode()
        subject = f"second {way} {door}\r\n\r\n".encode()
        second = SECOND.replace(b"smuggled\r\n\r\n", subject)
        replies = spoken(system, door, FIRST + body + second + b"QUIT\r\n", way)
        codes = [r[:3] for r in replies]
        assert codes == [*b"220 250 250 250 354 250 250 250 354 250 221".split()]
    assert set(subjects(system, "ann")) >= {f"first {w} {door}" for w in (WHOLE, BYTES)}
    assert set(subjects(system, "bob")) >= {f"second {w} {door}" for w in (WHOLE, BYTES)}


@DOORS
def test_a_stuffed_end_is_text_of_the_one_message(system: System, door: str) -> None:
    for way in (WHOLE, BYTES):
        subject = f"stuffed {way} {door}"
        raw = mail(subject, "one\r\n.\r\n" + SECOND.decode().removesuffix(".\r\n"))
        replies = spoken(
            system, door, FIRST + raw.replace(b"\r\n.", b"\r\n..") + b".\r\nQUIT\r\n", way
        )
        assert [r[:3] for r in replies[-2:]] == [b"250", b"221"]
        assert subject in subjects(system, "ann")
        with system.api("ann@example.test") as api:
            ident = next(m["id"] for m in audit.all_messages(api) if m["subject"] == subject)
            got = api.get(f"/messages/{ident}", params={"format": "original"})
        assert got.content == raw
    assert "smuggled" not in subjects(system, "bob")
