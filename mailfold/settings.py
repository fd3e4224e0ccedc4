"""Every setting: command-line flag, then `MAILFOLD_*`, then `mailfold.toml`, then the default."""

from __future__ import annotations

import os
import socket
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ingress.client import networks

CONFIG_FILE = "mailfold.toml"
DEFAULT_DATA = Path("data")


class SettingsError(Exception):
    """A setting that can't be used; the text names it and says what is allowed."""


def _port(default: int, what: str) -> Any:
    return Field(default, ge=0, le=65535, description=f"{what}; 0 chooses a free one.")


class Settings(BaseSettings):
    """What the installation is told. Durations are seconds, sizes octets."""

    model_config = SettingsConfigDict(env_prefix="MAILFOLD_", extra="forbid")

    data: Path = Field(DEFAULT_DATA, description="Folder of everything that is kept.")
    profile: Literal["embedded", "cluster"] = Field(
        "embedded", description="embedded: SQLite and files; cluster: Kafka as the log."
    )
    runner: Literal["auto", "embedded", "faust", "consumer"] = Field(
        "auto", description="What hosts the stages on Kafka: faust (auto) or a consumer loop."
    )
    listen: str = Field("127.0.0.1", description="Address that all servers listen on.")
    smtp_port: int = _port(2525, "MX")
    submission_port: int = _port(2587, "Submission")
    lmtp_port: int = _port(2424, "LMTP")
    imap_port: int = _port(2143, "IMAP")
    http_port: int = _port(8080, "REST and web")
    lmtp_trusted: str = Field(
        "127.0.0.0/8,::1",
        description="Networks of mail servers whose XFORWARD tells whom a mail comes from.",
    )
    hostname: str = Field(
        default_factory=socket.gethostname, description="Our name in SMTP and in trace headers."
    )
    postmaster: str = Field(
        "", description="Account for mail to postmaster; empty: the one that was made first."
    )
    dns: str = Field("", description="DNS servers as host:port,…; empty: the system's.")
    dns_timeout: float = Field(5.0, gt=0, description="Longest wait for the DNS of one mail.")
    trusted_sealers: str = Field(
        "", description="Domains, comma-separated, whose ARC seals may override a DMARC failure."
    )
    dmarc_reject: bool = Field(
        False,
        description="Refuse at SMTP time what DMARC says to reject; off: accept it, into SPAM.",
    )
    relay: str = Field(
        "", description="host:port of a server that takes all mail out; empty: by MX."
    )
    outbound_port: int = Field(
        25, ge=1, le=65535, description="Port of other hosts that mail is sent to."
    )
    retry_schedule: str = Field(
        "60,300,900,3600,7200,14400",
        description="Seconds before each further attempt to send; the last one goes on.",
    )
    queue_lifetime: float = Field(
        432_000, gt=0, description="Seconds that sending a mail is tried before it bounces."
    )
    kafka: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers.")
    schema_registry: str = Field("", description="Schema registry; empty: a file beside the data.")
    partitions: int = Field(64, ge=1, description="Partitions of a topic when it is first made.")
    topic_prefix: str = Field("", description="Put before every topic and group name on Kafka.")
    max_message_bytes: int = Field(50 * 1024 * 1024, ge=1024, description="SMTP SIZE.")
    quota_bytes: int = Field(
        15_000_000_000, ge=0, description="Quota of a new account; 0 for none."
    )
    undelete_days: float = Field(30, ge=0, description="How long an expunged message can return.")
    trash_days: float = Field(30, ge=0, description="How long TRASH keeps a message; 0 for ever.")
    spam_days: float = Field(7, ge=0, description="How long SPAM keeps a message; 0 for ever.")
    parts_grace: float = Field(
        30, ge=1, description="Seconds that an unneeded large part waits before it is deleted."
    )
    tls_certificate: Path | None = Field(None, description="PEM file; made when not given.")
    tls_key: Path | None = Field(None, description="PEM file of its key.")
    limits: Literal["on", "off"] = Field("on", description="off switches all rate limits off.")
    limit_connections: int = Field(200, ge=1, description="SMTP connections at once.")
    limit_connections_per_client: str = Field("120/minute", description="Per client network.")
    limit_messages_per_client: str = Field("600/minute", description="Mails per client network.")
    limit_recipients: int = Field(100, ge=1, description="Recipients of one mail.")
    limit_errors: int = Field(20, ge=1, description="Bad commands before 421.")
    limit_outbound_per_host: int = Field(4, ge=1, description="SMTP sessions with one host out.")
    limit_requests: str = Field("1000/minute", description="REST requests of an account.")
    limit_searches: str = Field("100/minute", description="Searches of an account.")
    limit_logins: str = Field("20/minute", description="Logins from a client or to an account.")
    lag_slow: int = Field(2_000, ge=1, description="Mails behind from which the MX slows down.")
    lag_stop: int = Field(20_000, ge=1, description="Mails behind from which the MX says 451.")
    web_url: str = Field("", description="Public base URL; empty: from the listening address.")

    @field_validator("data", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("lmtp_trusted", mode="after")
    @classmethod
    def _networks(cls, value: str) -> str:
        networks(value)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file in the data folder behind flags and environment."""
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, _from_file(settings_cls, init_settings())),
        )

    # -- files of the embedded profile

    @property
    def log_path(self) -> Path:
        """Log, content, stage state and positions."""
        return self.data / "log.db"

    @property
    def keys_path(self) -> Path:
        """Keys."""
        return self.data / "keys.db"

    @property
    def outbound_path(self) -> Path:
        """The queue of mail that leaves; can be made again from the log."""
        return self.data / "outbound.db"

    @property
    def state_path(self) -> Path:
        """Content and stage state beside a Kafka log."""
        return self.data / "state.db"

    @property
    def views_path(self) -> Path:
        """Projections."""
        return self.data / "views"

    @property
    def accounts_path(self) -> Path:
        """Accounts, domains, aliases, tokens."""
        return self.data / "accounts.db"

    @property
    def parts_path(self) -> Path:
        """Large parts."""
        return self.data / "parts"

    @property
    def run_path(self) -> Path:
        """Sockets and the supervisor's state."""
        return self.data / "run"


def _data_folder(given: dict[str, Any]) -> Path:
    return Path(given.get("data") or os.environ.get("MAILFOLD_DATA") or DEFAULT_DATA).expanduser()


def _from_file(cls: type[BaseSettings], given: dict[str, Any]) -> dict[str, Any]:
    path = _data_folder(given) / CONFIG_FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise SettingsError(f"{path} can't be read: {e}") from e
    values.pop("data", None)
    for name in values:
        if name not in cls.model_fields:
            raise SettingsError(f"{path}: no setting is called {name!r}")
    return values


def load(**flags: Any) -> Settings:
    """Return the settings; `flags` that are None were not given. Raises SettingsError."""
    try:
        return Settings(**{k: v for k, v in flags.items() if v is not None})
    except ValidationError as e:
        first = e.errors()[0]
        name = ".".join(str(x) for x in first["loc"])
        raise SettingsError(f"setting {name}: {first['msg']}") from e


def sources(settings: Settings, **flags: Any) -> list[tuple[str, object, str]]:
    """Return (name, value, where it comes from) of each setting."""
    given = {k for k, v in flags.items() if v is not None}
    from_file = _from_file(Settings, {"data": settings.data})
    rows: list[tuple[str, object, str]] = []
    for name in Settings.model_fields:
        if name in given:
            where = "flag"
        elif f"MAILFOLD_{name.upper()}" in {k.upper() for k in os.environ}:
            where = "environment"
        elif name in from_file:
            where = CONFIG_FILE
        else:
            where = "default"
        rows.append((name, getattr(settings, name), where))
    return rows
