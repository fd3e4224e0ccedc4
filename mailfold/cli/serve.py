"""serve, demo, and the children that they start."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

import click

from mailfold import roles
from mailfold.cli.output import Failure
from mailfold.demo import ADDRESS, prepare
from mailfold.folders import make_folder
from mailfold.process import GRACE
from mailfold.settings import Settings, SettingsError, load
from mailfold.supervisor import (
    Inherited,
    Supervisor,
    SupervisorError,
    command,
    listen,
    lock,
    unlock,
    was_killed,
)
from mailfold.wiring import open_house

_PORTS = {"smtp": "smtp_port", "lmtp": "lmtp_port", "http": "http_port"}
_ENDINGS = ("all", *roles.ROLES)


def _roles(text: str) -> list[str]:
    names = [n.strip() for n in text.split(",") if n.strip()]
    for n in names:
        if n not in _ENDINGS:
            raise click.BadParameter(f"no role is called {n!r}; there are {', '.join(_ENDINGS)}")
    return [n for n in roles.ROLES if n in names or "all" in names]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of everything that is kept.")
@click.option(
    "--role", default="all", show_default=True, help="all, or some of: " + ", ".join(roles.ROLES)
)
def serve(data: Path | None, role: str) -> None:
    """Run the mail system until it is stopped."""
    sys.exit(_serve(_load(data), role))


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of everything that is kept.")
def demo(data: Path | None) -> None:
    """Run it with a demo domain, account and sample mails, made at the first start."""
    settings = _load(data)
    with open_house(settings) as house:
        password = prepare(house)
    hint = f"log in as {ADDRESS}"
    hint += (
        f", password {password}" if password else " (its password was printed at the first start)"
    )
    sys.exit(_serve(settings, "all", hint))


def _load(data: Path | None) -> Settings:
    try:
        settings = load(data=data)
        make_folder(settings.data)
    except SettingsError as e:
        raise Failure(str(e)) from e
    except OSError as e:
        raise Failure(f"the data folder can't be made: {e}") from e
    return settings


def _serve(settings: Settings, role: str, hint: str = "") -> int:
    wanted = roles.processes(_roles(role), settings)
    os.environ["MAILFOLD_DATA"] = str(settings.data)
    held: list[int] = []
    sockets: dict[str, socket.socket] = {}
    try:
        with open_house(settings) as house:
            house.prepare()
        for process in wanted:
            files = [settings.run_path / f"{part}.lock" for part in process.parts]
            # Children that have yet to see that their supervisor was killed still have its ports.
            patience = 2 * GRACE if any(map(was_killed, files)) else 0.0
            for part, file in zip(process.parts, files, strict=True):
                if roles.is_single(part, settings):
                    held.append(lock(file))
            for name in process.sockets:
                sockets[name] = listen(settings.listen, getattr(settings, _PORTS[name]), patience)
        supervisor = Supervisor(
            wanted,
            sockets,
            command(),
            {**os.environ, "MAILFOLD_BOOT": secrets.token_hex(8)},
            _announcement(settings, sockets, hint),
        )
        return supervisor.run()
    except SupervisorError as e:
        raise Failure(str(e)) from e
    finally:
        for s in sockets.values():
            s.close()
        for fd in held:
            unlock(fd)


def _announcement(settings: Settings, sockets: dict[str, socket.socket], hint: str) -> str:
    where = {n: "{}:{}".format(*s.getsockname()[:2]) for n, s in sockets.items()}
    lines = [" ".join(["ready", *(f"{n}={a}" for n, a in where.items())])]
    if hint:
        lines.append(hint)
        if "smtp" in where:
            lines.append(
                "send a mail:  printf 'Subject: hello\\r\\n\\r\\nIt works.\\r\\n' | curl -sS"
                f" smtp://{where['smtp']} --mail-from you@sender.example"
                f" --mail-rcpt {ADDRESS} --upload-file -"
            )
        if "http" in where:
            lines.append(f"the REST API: http://{where['http']}/api/v1/openapi.json")
    return "\n".join(lines)


@click.command(hidden=True)
@click.argument("name")
@click.argument("parts", nargs=-1)
def child(name: str, parts: tuple[str, ...]) -> None:
    """Run the parts of one process; started by serve, which gives it a name."""
    inherited = Inherited.from_environment()
    try:
        roles.run(parts or (name,), inherited)
    except SupervisorError as e:
        raise Failure(str(e)) from e
