from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingress.smtp.certificate import generated, tls_context


def test_a_certificate_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    certificate, key = generated(tmp_path, "mx.example.test")
    first = certificate.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert generated(tmp_path, "mx.example.test") == (certificate, key)
    assert certificate.read_bytes() == first
    tls_context(certificate, key)


def test_another_host_name_gets_another_certificate(tmp_path: Path) -> None:
    first = generated(tmp_path, "mx.example.test")[0].read_bytes()
    assert generated(tmp_path, "other.example.test")[0].read_bytes() != first


def test_a_certificate_is_replaced_before_it_ends(tmp_path: Path) -> None:
    first = generated(tmp_path, "mx.example.test")[0].read_bytes()
    later = datetime.now(UTC) + timedelta(days=10 * 365 - 20)
    assert generated(tmp_path, "mx.example.test", later)[0].read_bytes() != first


def test_a_damaged_certificate_is_replaced(tmp_path: Path) -> None:
    certificate, _ = generated(tmp_path, "mx.example.test")
    certificate.write_bytes(b"damaged")
    tls_context(*generated(tmp_path, "mx.example.test"))


def test_a_long_host_name_gets_a_certificate(tmp_path: Path) -> None:
    tls_context(*generated(tmp_path, ".".join(["abcdefgh"] * 10)))
