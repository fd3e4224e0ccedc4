"""Every setting: command-line flag, then `MAILFOLD_*`, then `mailfold.toml`, then the default."""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from ingress.client import networks

CONFIG_FILE = "mailfold.toml"
DEFAULT_DATA = Path("data")
_SWITCH = {"on": "true", "yes": "true", "off": "false", "no": "false"}


class SettingsError(Exception):
    """A setting that can't be used; the text names it and says what is allowed."""


def _is(meaning: str, **bounds: Any) -> Meta:
    return Meta(description=meaning, **bounds)


def _port(what: str) -> Meta:
    return _is(f"{what}; 0 chooses a free one.", ge=0, le=65535)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What the installation is told. Durations are seconds, sizes octets. Made by `load`."""

    data: Annotated[Path, _is("Folder of everything that is kept.")] = DEFAULT_DATA
    profile: Annotated[
        Literal["embedded", "cluster"],
        _is("embedded: SQLite and files; cluster: Kafka as the log."),
    ] = "embedded"
    runner: Annotated[
        Literal["auto", "embedded", "faust", "consumer"],
        _is("What hosts the stages on Kafka: faust (auto) or a consumer loop."),
    ] = "auto"
    listen: Annotated[str, _is("Address that all servers listen on.")] = "127.0.0.1"
    smtp_port: Annotated[int, _port("MX")] = 2525
    submission_port: Annotated[int, _port("Submission")] = 2587
    lmtp_port: Annotated[int, _port("LMTP")] = 2424
    imap_port: Annotated[int, _port("IMAP")] = 2143
    http_port: Annotated[int, _port("REST and web")] = 8080
    lmtp_trusted: Annotated[
        str,
        _is("Networks of mail servers whose XFORWARD tells whom a mail comes from."),
    ] = "127.0.0.0/8,::1"
    hostname: Annotated[str, _is("Our name in SMTP and in trace headers.")] = msgspec.field(
        default_factory=socket.gethostname
    )
    postmaster: Annotated[
        str, _is("Account for mail to postmaster; empty: the one that was made first.")
    ] = ""
    dns: Annotated[str, _is("DNS servers as host:port,…; empty: the system's.")] = ""
    dns_timeout: Annotated[float, _is("Longest wait for the DNS of one mail.", gt=0)] = 5.0
    trusted_sealers: Annotated[
        str,
        _is("Domains, comma-separated, whose ARC seals may override a DMARC failure."),
    ] = ""
    dmarc_reject: Annotated[
        bool,
        Meta(
            description="Refuse at SMTP time what DMARC says to reject; off: accept it, into SPAM."
        ),
    ] = False
    relay: Annotated[str, _is("host:port of a server that takes all mail out; empty: by MX.")] = ""
    outbound_port: Annotated[
        int, _is("Port of other hosts that mail is sent to.", ge=1, le=65535)
    ] = 25
    retry_schedule: Annotated[
        str, _is("Seconds before each further attempt to send; the last one goes on.")
    ] = "60,300,900,3600,7200,14400"
    queue_lifetime: Annotated[
        float, _is("Seconds that sending a mail is tried before it bounces.", gt=0)
    ] = 432_000
    kafka: Annotated[str, _is("Kafka bootstrap servers.")] = "127.0.0.1:9092"
    schema_registry: Annotated[str, _is("Schema registry; empty: a file beside the data.")] = ""
    partitions: Annotated[int, _is("Partitions of a topic when it is first made.", ge=1)] = 64
    topic_prefix: Annotated[str, _is("Put before every topic and group name on Kafka.")] = ""
    max_message_bytes: Annotated[int, _is("SMTP SIZE.", ge=1024)] = 50 * 1024 * 1024
    quota_bytes: Annotated[int, _is("Quota of a new account; 0 for none.", ge=0)] = 15_000_000_000
    undelete_days: Annotated[float, _is("How long an expunged message can return.", ge=0)] = 30
    trash_days: Annotated[float, _is("How long TRASH keeps a message; 0 for ever.", ge=0)] = 30
    spam_days: Annotated[float, _is("How long SPAM keeps a message; 0 for ever.", ge=0)] = 7
    parts_grace: Annotated[
        float,
        _is("Seconds that an unneeded large part waits before it is deleted.", ge=1),
    ] = 30
    tls_certificate: Annotated[Path | None, _is("PEM file; made when not given.")] = None
    tls_key: Annotated[Path | None, _is("PEM file of its key.")] = None
    limits: Annotated[Literal["on", "off"], _is("off switches all rate limits off.")] = "on"
    limit_connections: Annotated[int, _is("SMTP connections at once.", ge=1)] = 200
    limit_connections_per_client: Annotated[str, _is("Per client network.")] = "120/minute"
    limit_messages_per_client: Annotated[str, _is("Mails per client network.")] = "600/minute"
    limit_recipients: Annotated[int, _is("Recipients of one mail.", ge=1)] = 100
    limit_errors: Annotated[int, _is("Bad commands before 421.", ge=1)] = 20
    limit_outbound_per_host: Annotated[int, _is("SMTP sessions with one host out.", ge=1)] = 4
    limit_requests: Annotated[str, _is("REST requests of an account.")] = "1000/minute"
    limit_searches: Annotated[str, _is("Searches of an account.")] = "100/minute"
    limit_logins: Annotated[str, _is("Logins from a client or to an account.")] = "20/minute"
    lag_slow: Annotated[int, _is("Mails behind from which the MX slows down.", ge=1)] = 2_000
    lag_stop: Annotated[int, _is("Mails behind from which the MX says 451.", ge=1)] = 20_000
    web_url: Annotated[str, _is("Public base URL; empty: from the listening address.")] = ""

    def __post_init__(self) -> None:
        """Raise ValueError for networks that are none."""
        networks(self.lmtp_trusted)

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


def descriptions() -> dict[str, str]:
    """Return what each setting means, by name."""
    hints = get_type_hints(Settings, include_extras=True)
    return {name: hints[name].__metadata__[0].description for name in Settings.__struct_fields__}


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in flags.items() if v is not None}


def _from_environment() -> dict[str, str]:
    given = {k.upper(): v for k, v in os.environ.items()}
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(Settings):
        value = given.get(f"MAILFOLD_{field.name.upper()}")
        if value is not None:
            switch = isinstance(field.default, bool)
            found[field.name] = _SWITCH.get(value.lower(), value) if switch else value
    return found


def _from_file(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise SettingsError(f"{path} can't be read: {e}") from e
    values.pop("data", None)
    for name in values:
        if name not in Settings.__struct_fields__:
            raise SettingsError(f"{path}: no setting is called {name!r}")
    return values


def load(**flags: Any) -> Settings:
    """Return the settings; `flags` that are None were not given. Raises SettingsError."""
    given = {**_from_environment(), **_given(flags)}
    data = Path(given.get("data") or DEFAULT_DATA).expanduser().absolute()
    try:
        return msgspec.convert(
            {**_from_file(data), **given, "data": data}, Settings, strict=False, dec_hook=_path
        )
    except msgspec.ValidationError as e:
        what, _, place = str(e).partition(" - at `$.")
        # What is checked of the whole is the list of networks alone.
        name = place.rstrip("`") or "lmtp_trusted"
        raise SettingsError(f"setting {name}: {what} ({descriptions()[name]})") from e


def _path(kind: type, value: object) -> Path:
    if not isinstance(value, str | Path):
        raise TypeError(f"Expected `{kind.__name__.lower()}`, got `{type(value).__name__}`")
    return Path(value)


def sources(settings: Settings, **flags: Any) -> list[tuple[str, object, str]]:
    """Return (name, value, where it comes from) of each setting."""
    places = {
        "flag": _given(flags),
        "environment": _from_environment(),
        CONFIG_FILE: _from_file(settings.data),
    }
    return [
        (
            name,
            getattr(settings, name),
            next((p for p, v in places.items() if name in v), "default"),
        )
        for name in Settings.__struct_fields__
    ]
