"""What `serve` promises of its processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import audit
from tests.faults.installations import (
    CONSUMER,
    FAUST,
    Installations,
    barrier_of,
    log_of,
    on,
    processes_of,
)
from tests.faults.ledger import Ledger
from tests.system import System, mail, wait_until

ANN = "ann@example.test"
SOON = 10.0
"""Seconds in which children of a killed `serve` are gone, the slowest step of theirs included."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def restarted(system: System, role: str, before: int) -> int:
    """Return the process id of a role once another process has taken its place."""

    def new() -> int | None:
        pid = system.children().get(role)
        return pid if pid != before else None

    found: int = wait_until(new, what=f"{role} is restarted")
    return found


def gone(pids: list[int]) -> bool:
    """Say whether none of the processes runs."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def listed(system: System, subject: str) -> bool:
    """Say whether Ann's mailbox lists a subject once."""
    with system.api(ANN) as api:
        return [m["subject"] for m in audit.all_messages(api)].count(subject) == 1


@contextmanager
def held(system: System, point: str) -> Iterator[Path]:
    """Ask for a process to be held at a point; yield the file that holds it."""
    folder = barrier_of(system)
    (folder / point).touch()
    system.send(mail(f"held at {point}"), [ANN])
    found: list[Path] = wait_until(lambda: list(folder.glob(f"{point}.*")), what=point)
    try:
        yield found[0]
    finally:
        found[0].unlink(missing_ok=True)


def test_every_process_that_dies_is_restarted_and_the_ports_stay(
    install: Installations,
) -> None:
    system = install("ann").start()
    ports = dict(system.where)
    for role in processes_of(system):
        pid = system.children()[role]
        system.kill_child(role)
        restarted(system, role, pid)
    # The connections wait in the backlog until the new process takes them.
    system.send(mail("after the kills"), [ANN])
    assert system.where == ports
    wait_until(lambda: listed(system, "after the kills"), what="a mail after the kills")


def test_a_killed_serve_leaves_no_process_and_a_new_one_starts_at_once_on_the_same_ports(
    install: Installations,
) -> None:
    ports = {"MAILFOLD_SMTP_PORT": str(free_port()), "MAILFOLD_HTTP_PORT": str(free_port())}
    system = install("ann", **ports).start()
    for n in range(2):
        system.send(mail(f"before {n}"), [ANN])
        old = list(system.children().values())
        system.kill()
        system.start()
        wait_until(lambda old=old: gone(old), SOON, "the old processes are gone")
        wait_until(lambda n=n: listed(system, f"before {n}"), what="a mail before the kill")


def test_a_new_serve_waits_for_the_ports_of_children_that_are_slow_to_end(
    install: Installations,
) -> None:
    ports = {"MAILFOLD_SMTP_PORT": str(free_port()), "MAILFOLD_HTTP_PORT": str(free_port())}
    system = install("ann", **ports).start()
    slow = [system.children()[r] for r in ("mx", "api")]
    for pid in slow:
        os.kill(pid, signal.SIGSTOP)
    system.kill()
    starting = threading.Thread(target=system.start)
    starting.start()
    starting.join(3.0)
    assert starting.is_alive()
    for pid in slow:
        os.kill(pid, signal.SIGCONT)
    starting.join()
    system.send(mail("after"), [ANN])
    wait_until(lambda: listed(system, "after"))


@pytest.mark.parametrize("stage", ["inbound", "mailbox"])
@pytest.mark.parametrize("point", ["planned", "position"])
def test_a_process_that_outlives_its_serve_has_no_part_in_what_follows(
    install: Installations, stage: str, point: str
) -> None:
    assert not outlive(install, f"{stage}.{point}").repeated


@on(FAUST, CONSUMER)
def test_a_worker_that_outlives_its_serve_has_no_part_in_what_follows(
    install: Installations,
) -> None:
    outlive(install, "mailbox.planned")


def outlive(install: Installations, point: str) -> Ledger:
    """Kill `serve` while a process is held at a point, and let that go on beside a new one."""
    system = install("ann").start()
    with held(system, point):
        system.kill()
        starting = threading.Thread(target=system.start)
        starting.start()
        # Long enough for the new processes to come to the same mail, if they would.
        starting.join(7.0)
        time.sleep(1.0)
    starting.join()
    system.send(mail("after"), [ANN])
    wait_until(lambda: listed(system, "after"), what="a mail after the restart")
    assert listed(system, f"held at {point}")
    ledger = audit.settled(system)
    assert not ledger.repeated["mailbox.events"]
    with system.api(ANN) as api:
        audit.check_history(api)
    audit.check_house(system)
    return ledger


def test_a_second_serve_on_a_data_folder_is_refused_and_harms_nothing(
    install: Installations,
) -> None:
    system = install("ann").start()
    assert system.process is not None
    before = system.children()
    second = system.run("serve", check=False)
    assert second.returncode == 1
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1
    assert f"already serves this data folder (process {system.process.pid})" in second.stderr
    assert system.children() == before
    system.send(mail("still there"), [ANN])
    wait_until(lambda: listed(system, "still there"))


def test_roles_of_one_data_folder_may_run_under_several_serves(install: Installations) -> None:
    door = install("ann").start("--role", "mx")
    rest = System(door.data, door.environment)
    rest.start("--role", "streams,projections,api")
    try:
        assert list(door.where) == ["smtp", "lmtp"]
        assert list(rest.where) == ["http"]
        door.send(mail("through two"), [ANN])
        wait_until(lambda: listed(rest, "through two"))
    finally:
        assert rest.stop() == 0


def test_the_ready_line_names_what_is_served(install: Installations) -> None:
    system = install("ann")
    system.start()
    assert system.process is not None
    assert set(system.where) == {"smtp", "lmtp", "http"}
    for host, port in system.where.values():
        with socket.create_connection((host, port), 5):
            pass
    assert re.fullmatch(r"[\d.]+", system.where["smtp"][0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_everything_in_order(install: Installations, number: signal.Signals) -> None:
    system = install("ann").start()
    system.send(mail("before"), [ANN])
    assert system.process is not None
    children = list(system.children().values())
    with (
        socket.create_connection(system.where["smtp"], 30) as idle,
        system.api(ANN) as api,
        api.stream("GET", "/mailboxes/me/stream", timeout=30) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        assert idle.recv(100).startswith(b"220 ")
        os.kill(system.process.pid, number)
        # Whoever is connected is told that it ends.
        assert idle.recv(100).startswith(b"421 4.3.2 ")
        # The stream ends, as an answer that is whole.
        list(lines)
    assert system.process.wait(30) == 0
    system.process = None
    assert gone(children)
    assert "ended with" not in log_of(system)
    assert "killed" not in log_of(system)


def test_a_transaction_that_is_under_way_may_end_before_the_stop(
    install: Installations,
) -> None:
    system = install("ann").start()
    raw = mail("under way")
    with socket.create_connection(system.where["smtp"], 30) as client:
        replies = client.makefile("rb")
        client.sendall(
            b"HELO client.example\r\nMAIL FROM:<a@b.example>\r\n"
            b"RCPT TO:<ann@example.test>\r\nDATA\r\n"
        )
        assert [replies.readline()[:3] for _ in range(5)] == [
            b"220",
            b"250",
            b"250",
            b"250",
            b"354",
        ]
        client.sendall(raw[:50])
        assert system.process is not None
        system.process.terminate()
        time.sleep(0.5)
        client.sendall(raw[50:] + b".\r\n")
        assert replies.readline().startswith(b"250 2.0.0 ")
        assert replies.readline().startswith(b"421 4.3.2 ")
        assert replies.readline() == b""
    assert system.process.wait(30) == 0
    system.start()
    wait_until(lambda: listed(system, "under way"))


def test_serve_goes_on_where_it_was(install: Installations) -> None:
    system = install("ann")
    system.start("--role", "mx")
    for n in range(20):
        system.send(mail(f"waiting {n}"), [ANN])
    assert system.stop() == 0
    system.start("--role", "streams")
    audit.settled(system)
    assert system.stop() == 0
    system.start()
    for n in range(20):
        wait_until(lambda n=n: listed(system, f"waiting {n}"))
    with system.api(ANN) as api:
        audit.check_history(api)
