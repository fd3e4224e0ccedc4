"""Fuzz targets of the way out: any text as a rewritten reverse-path, anything in a report."""

from __future__ import annotations

import email
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from mail import dsn
from mail.srs import MAX_LOCAL, Sender, SrsError, is_rewritten, restored, rewritten

_NOW = 1_700_000_000_000_000
_MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


def _keyed(text: str) -> bytes:
    return hmac.digest(b"k", text.encode("utf-8", "surrogatepass"), "sha256")


def _gullible(_text: str) -> bytes:
    """A hash that everybody knows, so that what comes behind it is reached."""
    return bytes(5)


def fuzz_srs(data: bytes) -> None:
    """Read any address as a rewritten one, and rewrite any sender."""
    text = data.decode("utf-8", "surrogateescape")
    is_rewritten(text)
    for keyed in (_keyed, _gullible):
        try:
            found = restored(text, _NOW, keyed)
        except SrsError:
            continue
        if isinstance(found, Sender):
            assert found.address.isascii()
            assert found.address.count("@") == 1
        else:
            assert len(found.mail) == 16
    made = rewritten(text, bytes(16), "alias.test", _NOW, _keyed)
    if text:
        assert made.isascii()
        assert len(made.partition("@")[0]) <= MAX_LOCAL
        restored(made, _NOW, _keyed)


def fuzz_dsn(data: bytes) -> None:
    """Report on any header, any address."""
    text = data[:100].decode("latin-1")
    report = dsn.Report(text, text[::-1], "5.0.0", 550, _MOMENT, _MOMENT, data)
    raw = dsn.compose(report, "mx.test", "alias.test", "an-id", _MOMENT)
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert email.message_from_bytes(raw)["Subject"] == "Undelivered mail returned to sender"


def _srs_seeds() -> list[bytes]:
    made = [
        rewritten(sender, bytes(16), "alias.test", _NOW, keyed)
        for keyed in (_keyed, _gullible)
        for sender in ("ann@sender.test", f"{'x' * 60}@sender.test")
    ]
    return [a.encode() for a in made] + [b"SRS0=AAAAAAAA=JN=a=b@alias.test", b"ann@sender.test"]


def _dsn_seeds() -> list[bytes]:
    return [b"From: a@b.test\r\nSubject: x\r\n\r\n", b"Subject: \xff\r\n\r\n", b"--=_an-id--\r\n"]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "srs": (fuzz_srs, _srs_seeds),
    "dsn": (fuzz_dsn, _dsn_seeds),
}
