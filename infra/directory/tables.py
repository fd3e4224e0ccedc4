"""The tables of the directory, the same for SQLite and PostgreSQL. Times are microseconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

DOMAIN = Table(
    "domain",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)

ACCOUNT = Table(
    "account",
    METADATA,
    Column("address", String(320), primary_key=True),
    Column(
        "domain",
        String(255),
        ForeignKey("domain.name", ondelete="RESTRICT"),
        nullable=False,
        index=True,
    ),
    Column("mailbox_id", String(36), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("quota_bytes", BigInteger, nullable=False),
)

ALIAS = Table(
    "alias_target",
    METADATA,
    Column("alias", String(320), primary_key=True),
    Column("target", String(320), primary_key=True, doc="The address as it was given, folded."),
    Column(
        "domain",
        String(255),
        ForeignKey("domain.name", ondelete="RESTRICT"),
        nullable=False,
        index=True,
    ),
    Column(
        "account",
        String(320),
        ForeignKey("account.address", ondelete="CASCADE"),
        nullable=True,
        index=True,
        doc="The local account; null when the target is remote.",
    ),
    Column("created_at", BigInteger, nullable=False),
)

FORMER_ALIAS = "alias"
"""The table of aliases that had one target each."""

DOMAIN_KEY = Table(
    "domain_key",
    METADATA,
    Column("domain", String(255), ForeignKey("domain.name", ondelete="CASCADE"), primary_key=True),
    Column("selector", String(63), primary_key=True),
    Column("kind", String(7), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("record", Text, nullable=False, doc="The text of the key record, for DNS."),
    Column("key_id", String(36), nullable=False, doc="The key, in the key store, that seals it."),
    Column("sealed", LargeBinary, nullable=False, doc="The private half; empty when destroyed."),
)

TOKEN = Table(
    "token",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True, doc="SHA-256 of the token."),
    Column("id", String(16), nullable=False, unique=True, doc="Names the token in listings."),
    Column(
        "account",
        String(320),
        ForeignKey("account.address", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("scope", String(5), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
