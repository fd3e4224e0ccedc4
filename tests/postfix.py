"""Debian's Postfix in folders of its own, on loopback, in front of an LMTP server."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from infra.engines import debian
from tests.system import DOMAIN, ROOT, wait_until

HOSTNAME = "front.example.test"
OWNER = "daemon"

# What `postfix start` would make, with who owns it.
_QUEUE = {
    **dict.fromkeys(("pid", "public", "private"), "mixed"),
    **dict.fromkeys(("active", "bounce", "corrupt", "defer", "deferred", "flush"), "owner"),
    **dict.fromkeys(("hold", "incoming", "maildrop", "saved", "trace"), "owner"),
}
_SERVICES = """\
{where} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
retry unix - - n - - error
error unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
verify unix - - n - 1 verify
lmtp unix - - n - - lmtp
"""


class Postfix:
    """Postfix that takes mail for the test domain and hands it to an LMTP server.

    Nothing is installed and no folder of the system is used, but its master must be root.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` are those that an operator makes, and go before our own."""
        # Its daemons run as another user, who must get there; the folders of a test are closed.
        folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        folder.chmod(0o755)
        self._folder = folder
        self._root = folder / "root"
        self._config = folder / "etc"
        self._log = folder / "log"
        self._said = folder / "said"
        self._environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(self._root / "usr/lib/postfix"),
            "MAIL_CONFIG": str(self._config),
        }
        self.where = ("127.0.0.1", _free_port())
        self._settings = {**self._own(), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            debian.unpack("postfix", self._root, "Postfix")
            self._lay()
            self._start()
            wait_until(self._answers, what="Postfix answers")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [self._root / "usr/lib/postfix/sbin/master", "-d", "-c", self._config],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                # The master ends its children by their process group.
                start_new_session=True,
            )

    def __exit__(self, *_error: object) -> None:
        master = self._process
        if master is not None and master.poll() is None:
            master.terminate()
            try:
                master.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(master.pid, signal.SIGKILL)
                master.wait()
        shutil.rmtree(self._folder)

    def log(self) -> str:
        """Return what Postfix has logged so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"Postfix ended: {self._said.read_text()}{self.log()}")
        try:
            with socket.create_connection(self.where, 5) as client:
                return client.recv(3) == b"220"
        except OSError:
            return False

    def _own(self) -> dict[str, str]:
        programs = self._root / "usr/lib/postfix"
        return {
            "compatibility_level": "3.6",
            "myhostname": HOSTNAME,
            "mydestination": "",
            "virtual_mailbox_domains": DOMAIN,
            "alias_maps": "",
            "mail_owner": OWNER,
            "setgid_group": "mail",
            "queue_directory": str(self._folder / "queue"),
            "data_directory": str(self._folder / "data"),
            "daemon_directory": str(programs / "sbin"),
            "command_directory": str(self._root / "usr/sbin"),
            "shlib_directory": str(programs),
            "meta_directory": str(self._root / "etc/postfix"),
            "import_environment": "MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH",
            "maillog_file": str(self._log),
            "maillog_file_prefixes": str(self._folder),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "all",
            # It asks no DNS; who a client is, the test says by XCLIENT.
            "smtpd_peername_lookup": "no",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            # By its connection the client is local, and would have its header mended.
            "local_header_rewrite_clients": "",
            "smtpd_relay_restrictions": "reject_unauth_destination",
        }

    def _lay(self) -> None:
        owner = pwd.getpwnam(OWNER)
        for path in (self._config, self._folder / "queue"):
            path.mkdir()
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        os.chown(data, owner.pw_uid, 0)
        for name, whose in _QUEUE.items():
            path = self._folder / "queue" / name
            path.mkdir(mode=0o700 if whose == "owner" else 0o755)
            if name != "pid":
                os.chown(path, owner.pw_uid, owner.pw_gid)
        lines = (f"{name} = {value}\n" for name, value in self._settings.items())
        (self._config / "main.cf").write_text("".join(lines))
        where = "{}:{}".format(*self.where)
        (self._config / "master.cf").write_text(_SERVICES.format(where=where))


def documented(lmtp: tuple[str, int]) -> list[dict[str, str]]:
    """Return the settings of each block that the documentation has for main.cf."""
    page = (ROOT / "docs/operating.md").read_text()
    blocks = re.findall(r"^```ini\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    found = [dict(line.split(" = ") for line in block.splitlines()) for block in blocks]
    return [
        {k: v.replace("127.0.0.1:2424", "{}:{}".format(*lmtp)) for k, v in block.items()}
        for block in found
    ]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
