"""The TLS certificate of the doors: the operator's, or one of our own.

Between mail servers TLS is opportunistic (RFC 3207 section 4.1; RFC 7672 section 1.3): most
clients do not verify, so that a self-signed certificate already keeps passive listeners out.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=10 * 365)
_RENEW_BEFORE = timedelta(days=30)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the server side of TLS with a certificate chain and its key, both PEM files.

    Raises OSError and ssl.SSLError when they can't be read or don't fit each other.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # RFC 8996: 1.0 and 1.1 are not to be used any more.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 7457: compression (CRIME) and renegotiation are ways in.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    return context


def generated(folder: Path, hostname: str, now: datetime | None = None) -> tuple[Path, Path]:
    """Return certificate and key files of ours in `folder`, made when there is none that fits.

    One that is for another host name, or ends within 30 days, is replaced. Raises OSError.
    """
    moment = datetime.now(UTC) if now is None else now
    certificate, key = folder / "tls-certificate.pem", folder / "tls-key.pem"
    if not (key.exists() and _fits(certificate, hostname, moment)):
        _make(certificate, key, hostname, moment)
    return certificate, key


def _fits(path: Path, hostname: str, now: datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    fits = bool(names) and names[0].value == _common_name(hostname)
    return fits and now + _RENEW_BEFORE < found.not_valid_after_utc


def _common_name(hostname: str) -> str:
    # X.520 bounds a common name at 64 characters; the whole name is in the alternative names.
    return hostname[:64]


def _make(certificate: Path, key: Path, hostname: str, now: datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(hostname))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
        .sign(private, hashes.SHA256())
    )
    # The key first: a certificate is taken for whole once it is there.
    certificate.unlink(missing_ok=True)
    _write(
        key,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, data: bytes) -> None:
    # Readable by its owner alone from the first moment, and never there in part.
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    part.replace(path)
