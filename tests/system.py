"""A whole installation under test: `mailfold serve` in a process of its own, used from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
READY = 60.0
DOMAIN = "example.test"
PASSWORD = "correct horse battery"


class System:
    """One data folder and, while started, one `serve` on it."""

    def __init__(self, data: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MAILFOLD_")},
            "PYTHONPATH": str(ROOT),
            "MAILFOLD_DATA": str(data),
            "MAILFOLD_SMTP_PORT": "0",
            "MAILFOLD_LMTP_PORT": "0",
            "MAILFOLD_HTTP_PORT": "0",
            "MAILFOLD_LIMITS": "off",
            "MAILFOLD_HOSTNAME": "mx.example.test",
            # Nothing listens there: tests ask no DNS but their own.
            "MAILFOLD_DNS": "127.0.0.1:9",
            "MAILFOLD_DNS_TIMEOUT": "0.2",
            **(environment or {}),
        }
        self.process: subprocess.Popen[str] | None = None
        self.where: dict[str, tuple[str, int]] = {}

    # -- command line

    def run(
        self, *arguments: str, check: bool = True, stdin: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `mailfold ARGUMENTS` and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "mailfold", *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"mailfold {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done

    def add_account(self, name: str) -> str:
        """Make an account at the test domain and return its address."""
        address = f"{name}@{DOMAIN}"
        self.run("domain", "add", DOMAIN, check=False)
        self.run("account", "add", address, "--password-stdin", stdin=PASSWORD + "\n")
        return address

    # -- serve

    def start(self, *arguments: str) -> System:
        """Start `serve` and wait for its ready line."""
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailfold", "serve", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise AssertionError(f"serve did not start: {line!r}; see {log.name}")
        for pair in line.split()[1:]:
            name, _, address = pair.partition("=")
            host, _, port = address.rpartition(":")
            self.where[name] = (host, int(port))
        return self

    def stop(self) -> int:
        """Stop it in order and return its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        status = self.process.wait(30)
        self.process = None
        return status

    def kill(self) -> None:
        """Kill the supervisor; its children end by themselves."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def children(self) -> dict[str, int]:
        """Return the process id of each role."""
        assert self.process is not None
        found: dict[str, int] = {}
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in task.read_text().split():
            with contextlib.suppress(OSError, IndexError, ValueError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                found[words[words.index(b"child") + 1].decode()] = int(pid)
        return found

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that each role's process has used."""
        ticks = os.sysconf("SC_CLK_TCK")
        used: dict[str, float] = {}
        for role, pid in self.children().items():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[role] = (int(fields[11]) + int(fields[12])) / ticks
        return used

    def processor_time(self, role: str) -> float:
        """Return the seconds of CPU of a child so far, to the microsecond; 0 when it has ended."""
        try:
            tasks = list(Path(f"/proc/{self.children()[role]}/task").iterdir())
            return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e9
        except (FileNotFoundError, ProcessLookupError, KeyError):
            return 0.0

    def peak_memory(self) -> dict[str, int]:
        """Return the most memory (MB) that each role's process has had resident."""
        found: dict[str, int] = {}
        for role, pid in self.children().items():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    found[role] = int(line.split()[1]) // 1024
        return found

    def kill_child(self, role: str) -> None:
        """Kill one role's process with SIGKILL; the supervisor starts it again."""
        pid = self.children().get(role)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # -- from outside

    @contextlib.contextmanager
    def api(self, address: str) -> Iterator[httpx.Client]:
        """Yield a client that is logged in as `address`."""
        host, port = self.where["http"]
        with httpx.Client(base_url=f"http://{host}:{port}/api/v1", timeout=30) as client:
            answer = client.post("/login", json={"email": address, "password": PASSWORD})
            answer.raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield client

    def send(self, raw: bytes, recipients: list[str], sender: str = "you@sender.example") -> str:
        """Send one mail by SMTP and return the text of the reply after DATA."""
        with SmtpClient(self.where["smtp"]) as client:
            return client.send(raw, recipients, sender)


class SmtpClient:
    """A plain SMTP client that pipelines; `raw` has CRLF line ends and is dot-stuffed here."""

    def __init__(
        self, where: tuple[str, int], timeout: float = 30, helo: str = "client.example"
    ) -> None:
        self._socket = socket.create_connection(where, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self.expect(b"220")
        self._socket.sendall(f"EHLO {helo}\r\n".encode())
        self.expect(b"250")

    def __enter__(self) -> SmtpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def become(self, name: str, address: str, helo: str) -> None:
        """Go on as another client, where the server believes us (XCLIENT of Postfix)."""
        self._socket.sendall(f"XCLIENT NAME={name} ADDR={address}\r\n".encode())
        self.expect(b"220")
        self._socket.sendall(f"EHLO {helo}\r\n".encode())
        self.expect(b"250")

    def reply(self) -> str:
        """Return the last line of the next reply."""
        while True:
            line = self._file.readline()
            if not line:
                raise ConnectionError("the server closed the connection")
            if line[3:4] != b"-":
                return line.decode().rstrip()

    def expect(self, code: bytes) -> str:
        """Return the next reply. Raises ConnectionError when it has another code."""
        text = self.reply()
        if not text.startswith(code.decode()):
            raise ConnectionError(text)
        return text

    def send(self, raw: bytes, recipients: list[str], sender: str = "you@sender.example") -> str:
        """Send one mail; return the reply after the final dot."""
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{r}>" for r in recipients), "DATA"]
        self._socket.sendall("".join(c + "\r\n" for c in commands).encode())
        for _ in commands[:-1]:
            self.expect(b"250")
        self.expect(b"354")
        body = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
        body = body.replace(b"\r\n.", b"\r\n..")
        self._socket.sendall((b"." if body.startswith(b".") else b"") + body + b".\r\n")
        return self.expect(b"250")


def wait_until(condition: Callable[[], Any], seconds: float = 30, what: str = "") -> Any:
    """Return the first true value of `condition()`. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {seconds} s: {what or condition}")
        time.sleep(0.02)


def mail(subject: str, body: str = "It works.\r\n", **headers: str) -> bytes:
    """Return a small message with CRLF line ends; underscores in header names are dashes."""
    fields = {
        "From": "You <you@sender.example>",
        "To": f"demo@{DOMAIN}",
        "Subject": subject,
        "Date": "Tue, 24 Nov 2026 08:00:00 +0000",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode() + b"\r\n" + body.encode()
