"""How a mail is handed to a host, and what is made of its replies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.ports import Parcel, Receipt
from infra.smtp.courier import Options, SmtpCourier, Timeouts
from ingress.smtp.certificate import generated, tls_context
from mail.authentication.dns import Answer, Question
from mail.authentication.zone import Zone
from tests.sink import Sink

ZONE = Zone(
    {
        "there.test": [{"MX": [10, "mx.there.test"]}],
        "mx.there.test": [{"A": "127.0.0.1"}],
        "spare.test": [{"MX": [10, "deaf.test"]}, {"MX": [20, "mx.there.test"]}],
        # Nobody listens on another address of the loopback network.
        "deaf.test": [{"A": "127.1.2.3"}],
        "null.test": [{"MX": [0, "."]}],
        "slow.test": ["TIMEOUT"],
    }
)
MESSAGE = b"From: a@b.test\r\n\r\n.dot\r\n"
QUICK = Timeouts(connect=5, command=5, data=5)


async def resolve(questions: Sequence[Question]) -> Mapping[Question, Answer]:
    return {q: ZONE[q] for q in questions}


def parcel(**given: Any) -> Parcel:
    fields: dict[str, Any] = {
        "id": "one",
        "reverse_path": "ann@us.test",
        "forward_path": "bob@there.test",
        "domain": "there.test",
        "message": MESSAGE,
        "utf8": False,
        "eight_bit": False,
        **given,
    }
    return Parcel(**fields)


def deliver(*parcels: Parcel, port: int, **options: Any) -> list[Receipt]:
    async def run() -> list[Receipt]:
        o = Options(hostname="mx.us.test", port=port, timeouts=QUICK, **options)
        courier = SmtpCourier(o, resolve)
        return list(await asyncio.gather(*(courier.deliver(p) for p in parcels)))

    return asyncio.run(run())


def one(p: Parcel, sink: Sink, **options: Any) -> Receipt:
    (receipt,) = deliver(p, port=sink.port, **options)
    return receipt


def test_a_mail_is_taken() -> None:
    with Sink() as sink:
        receipt = one(parcel(), sink)
    assert (receipt.taken, receipt.code, receipt.enhanced) == (True, 250, "2.0.0")
    assert (receipt.host, receipt.address) == ("mx.there.test", "127.0.0.1")
    (taken,) = sink.delivered
    assert (taken.sender, taken.recipients, taken.content) == (
        "ann@us.test",
        ["bob@there.test"],
        MESSAGE,
    )
    assert taken.helo == "mx.us.test"


@pytest.mark.parametrize(
    ("reply", "permanent", "enhanced"),
    [
        ("451 4.3.0 later", False, "4.3.0"),
        ("452 no code", False, ""),
        ("421 4.3.2 closing", False, "4.3.2"),
        ("550 5.7.1 no", True, "5.7.1"),
        ("554 never", True, ""),
    ],
)
def test_the_reply_to_the_data_decides(reply: str, permanent: bool, enhanced: str) -> None:
    with Sink([reply]) as sink:
        receipt = one(parcel(), sink)
    assert not receipt.taken
    assert (receipt.permanent, receipt.enhanced) == (permanent, enhanced)
    assert (receipt.code, receipt.reason) == (int(reply[:3]), "reply")


def test_a_refused_recipient_is_refused() -> None:
    with Sink(at_rcpt=lambda _: "550 5.1.1 nobody") as sink:
        receipt = one(parcel(), sink)
    assert (receipt.permanent, receipt.code, receipt.enhanced) == (True, 550, "5.1.1")
    assert sink.delivered == []


@pytest.mark.parametrize(
    ("domain", "permanent", "enhanced"),
    [("null.test", True, "5.1.10"), ("slow.test", False, "4.4.3")],
)
def test_without_a_host_the_receipt_is_ours(domain: str, permanent: bool, enhanced: str) -> None:
    (receipt,) = deliver(parcel(domain=domain), port=25)
    assert (receipt.taken, receipt.permanent, receipt.enhanced) == (False, permanent, enhanced)
    assert receipt.code == 0


def test_where_nobody_listens_it_is_tried_again_later() -> None:
    with Sink() as sink:
        port = sink.port
    (receipt,) = deliver(parcel(), port=port)
    assert (receipt.permanent, receipt.enhanced, receipt.reason) == (False, "4.4.1", "connect")


def test_a_host_that_is_deaf_is_followed_by_the_next() -> None:
    with Sink() as sink:
        receipt = one(parcel(domain="spare.test"), sink)
    assert receipt.host == "mx.there.test"
    assert receipt.taken


def test_a_relay_takes_all_mail() -> None:
    with Sink() as sink:
        relay = ("127.0.0.1", sink.port)
        (receipt,) = deliver(parcel(domain="absent.test"), port=1, relay=relay)
    assert receipt.taken


@pytest.mark.parametrize(
    ("given", "server", "status"),
    [
        ({"message": b"x" * 2_000}, {"data_size_limit": 1_000}, "5.3.4"),
        ({"utf8": True, "forward_path": "jörg@there.test"}, {"enable_SMTPUTF8": False}, "5.6.7"),
    ],
)
def test_what_a_host_cannot_take_is_not_sent(
    given: dict[str, Any], server: dict[str, Any], status: str
) -> None:
    with Sink(**server) as sink:
        receipt = one(parcel(**given), sink)
    assert (receipt.taken, receipt.permanent, receipt.enhanced) == (False, True, status)
    assert sink.tries == 0


def test_what_the_mail_needs_is_asked_for() -> None:
    needs = parcel(
        utf8=True, eight_bit=True, forward_path="jörg@there.test", message="ü\r\n".encode()
    )
    with Sink() as sink:
        assert one(needs, sink).taken
    (taken,) = sink.delivered
    assert taken.recipients == ["jörg@there.test"]
    assert set(taken.options) == {"SIZE=4", "SMTPUTF8", "BODY=8BITMIME"}


def test_tls_is_used_where_it_is_offered(tmp_path: Path) -> None:
    context = tls_context(*generated(tmp_path, "sink.test"))
    with Sink(tls_context=context) as sink:
        receipt = one(parcel(), sink)
    assert receipt.taken
    assert receipt.tls_version.startswith("TLSv1.")


def test_where_tls_fails_the_mail_goes_in_clear() -> None:
    # A server without a certificate can't shake hands.
    with Sink(tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as sink:
        receipt = one(parcel(), sink)
    assert receipt.taken
    assert receipt.tls_version == ""


def test_so_many_sessions_with_a_host_and_no_more() -> None:
    with Sink() as sink:
        sink.hold = 0.1
        receipts = deliver(*(parcel(id=str(n)) for n in range(6)), port=sink.port, per_host=2)
    assert all(r.taken for r in receipts)
    assert sink.most_open == 2


def scripted(script: Mapping[bytes, bytes], p: Parcel) -> tuple[Receipt, list[bytes]]:
    """Deliver to a host that answers as `script` has it: verb -> reply, b"" -> hang up."""
    heard: list[bytes] = []
    ended: list[asyncio.Event] = []

    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        writer.write(script.get(b"", b"220 there\r\n"))
        while line := await reader.readline():
            heard.append(line.rstrip())
            verb = line[:4].upper().rstrip()
            reply = script.get(verb, b"250 ok\r\n")
            if verb == b"DATA" and reply.startswith(b"354"):
                writer.write(reply)
                await reader.readuntil(b"\r\n.\r\n")
                reply = script.get(b".", b"250 ok\r\n")
            if not reply:
                break
            writer.write(reply)
        writer.close()
        ended[-1].set()

    async def run() -> Receipt:
        server = await asyncio.start_server(host, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            o = Options(hostname="mx.us.test", port=port, timeouts=QUICK)
            receipt = await SmtpCourier(o, resolve).deliver(p)
            for one_ended in ended:
                await one_ended.wait()
            return receipt

    return asyncio.run(run()), heard


def test_a_host_of_old_is_greeted_with_helo() -> None:
    script = {b"EHLO": b"502 5.5.1 what\r\n", b"DATA": b"354 go\r\n"}
    receipt, heard = scripted(script, parcel())
    assert receipt.taken
    assert heard[:3] == [b"EHLO mx.us.test", b"HELO mx.us.test", b"MAIL FROM:<ann@us.test>"]


def test_8bit_content_is_not_sent_to_a_host_without_8bitmime() -> None:
    receipt, heard = scripted({b"DATA": b"354 go\r\n"}, parcel(eight_bit=True))
    assert (receipt.permanent, receipt.enhanced) == (True, "5.6.3")
    assert not any(line.startswith(b"MAIL") for line in heard)


@pytest.mark.parametrize(
    ("script", "code", "enhanced", "reason"),
    [
        ({b"": b"554 5.3.2 no mail here\r\n"}, 554, "4.4.1", "connect"),
        ({b"": b"421 busy\r\n"}, 421, "4.4.1", "connect"),
        ({b"MAIL": b"421 4.7.0 enough\r\n"}, 421, "4.4.1", "connection"),
        ({b"RCPT": b""}, 0, "4.4.2", "connection"),
        ({b"DATA": b"354 go\r\n", b".": b""}, 0, "4.4.2", "connection"),
        ({b"MAIL": b"nonsense\r\n"}, 0, "4.5.0", "reply"),
    ],
)
def test_trouble_on_the_way_is_for_now(
    script: dict[bytes, bytes], code: int, enhanced: str, reason: str
) -> None:
    receipt, _ = scripted(script, parcel())
    assert not receipt.taken
    assert not receipt.permanent
    assert (receipt.code, receipt.enhanced, receipt.reason) == (code, enhanced, reason)
