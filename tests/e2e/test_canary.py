"""What people write is found under seals only: a walk over all that the system keeps and says."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from infra.kafka.records import Translator
from infra.ports import KeyStore, Output, Record
from infra.registry.file import FileRegistry
from mailfold.settings import load
from mailfold.wiring import House, open_house
from schemas.codec import record_types, schema
from schemas.seal import unseal
from schemas.topics import TOPICS
from tests.e2e.canaries import MARK, SLOTS, C, bounce, everything, stored_elsewhere
from tests.e2e.suite import listed, messages
from tests.system import PASSWORD, SmtpClient, System, mail, wait_until

_OWNER = {"Digest": "message_id", "LabelSecret": "mailbox_id", "FilterSecret": "mailbox_id"}


@dataclass
class Traces:
    """What was found of the canaries."""

    plain: list[str] = field(default_factory=list[str])
    """Where one stands in plain text."""
    sealed: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Slot -> the sealed records that hold it."""
    types: set[str] = field(default_factory=set[str])


def send(system: System, helo: str, sender: str, recipient: str, raw: bytes) -> str:
    with SmtpClient(system.where["smtp"], helo=helo) as client:
        return client.send(raw, [recipient], sender)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that has been given a canary in every way there is."""
    folder = tmp_path_factory.mktemp("canary")
    made = System(folder / "data", {"MAILFOLD_LOG": "DEBUG"})
    ann = made.add_account("ann")
    made.start()
    helo = f"{C['helo']}.example"
    sender = f"{C['reverse-path']}@sender.example"
    send(made, helo, sender, f"ann+{C['sub-address']}@example.test", everything())
    send(made, f"{C['null-helo']}.example", "", ann, bounce())
    box = folder / "mbox"
    box.write_bytes(stored_elsewhere())
    with made.api(ann) as api:
        wait_until(lambda: len(messages(api, includeSpam=True)) == 2, what="both are listed")
        _by_rest(api)
    made.run("import", str(box), "--to", ann, "--label", C["label-imported"])
    with made.api(ann) as api:
        wait_until(lambda: len(messages(api, includeSpam=True)) == 3, what="the import is listed")
    _refused(made)
    yield made
    assert made.stop() == 0


def _by_rest(api: httpx.Client) -> None:
    key = {"Idempotency-Key": C["idempotency-key"]}
    one = messages(api, includeSpam=True)[0]["id"]
    label = api.post("/mailboxes/me/labels", json={"name": C["label"]}).json()["id"]
    api.post(f"/messages/{one}/modify", json={"addLabelIds": [label]}, headers=key)
    renamed = api.patch(f"/mailboxes/me/labels/{label}", json={"name": C["label-renamed"]})
    assert renamed.is_success
    filters = "/mailboxes/me/filters"
    made = api.post(filters, json={"query": C["filter"], "star": True}).json()["id"]
    replaced = {"query": C["filter-replaced"], "star": True}
    api.put(f"{filters}/{made}", json=replaced).raise_for_status()
    api.delete(f"{filters}/{made}").raise_for_status()
    api.post(f"/messages/{one}/modify", json={"isStarred": True})
    api.delete(f"/messages/{one}").raise_for_status()
    api.delete(f"/messages/{one}").raise_for_status()
    api.post(f"/messages/{one}/restore").raise_for_status()
    api.get("/mailboxes/me/messages", params={"q": C["query"]})


def _refused(system: System) -> None:
    for recipient in (f"{C['unknown-recipient']}@example.test", f"{C['route']}@elsewhere.test"):
        with pytest.raises(ConnectionError):
            system.send(mail("refused"), [recipient])
    host, port = system.where["http"]
    where = f"http://{host}:{port}/api/v1"
    for email in (f"{C['login']}@example.test", "ann@example.test"):
        answer = httpx.post(f"{where}/login", json={"email": email, "password": C["password"]})
        assert answer.status_code == 401
    assert httpx.get(f"{where}/{C['route']}").status_code == 404


# -- the walk


def walk(house: House, registry: Path) -> Traces:
    """Read every record of every topic: its columns, its headers, its fields, what it seals."""
    traces = Traces()
    translator = Translator(FileRegistry(registry), house.clock)
    hashes = _plain_hashes()
    for topic in TOPICS:
        for record in _records(house, topic):
            where = f"{topic}@{record.offset} {record.type}"
            traces.types.add(record.type)
            for name in ("key", "type", "event_id"):
                _look(getattr(record, name), f"{where} column {name}", hashes, traces)
            output = Output(topic, record.key, record.type, record.event_id, record.value)
            produced = translator.produced(output)
            _look(produced.key, f"{where} Kafka key", hashes, traces)
            for name, value in produced.headers:
                _look(name, f"{where} header", hashes, traces)
                _look(value, f"{where} header {name}", hashes, traces)
            _look(produced.value, f"{where} value", hashes, traces)
            _fields(record, where, house.keys, hashes, traces)
    return traces


def _records(house: House, topic: str) -> Iterator[Record]:
    reader = house.log.reader(topic, house.log.begin(topic))
    while records := reader.poll(500, 0.0):
        yield from records
    reader.close()


def _fields(
    record: Record, where: str, keys: KeyStore, hashes: Mapping[bytes, str], traces: Traces
) -> None:
    value = record.decode()
    built: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(bytes,))
    for f in schema(record.type)["fields"]:
        name: str = f["name"]
        if not f.get("sealed"):
            for path, leaf in _leaves(built[name], name):
                _look(leaf, f"{where} field {path}", hashes, traces)
            continue
        if built.get("deleted"):
            # What deletes a filter says nothing of its query.
            assert built[name] == b""
            continue
        kind = str(f["seals"]).removeprefix("mailfold.")
        owner: str = getattr(value, _OWNER.get(kind, "mail_id"))
        opened = unseal(
            record_types()[kind], built[name], keys.get([owner])[owner], record.event_id
        )
        for _, leaf in _leaves(msgspec.to_builtins(opened, builtin_types=(bytes,)), kind):
            text = leaf if isinstance(leaf, bytes) else str(leaf).encode()
            for slot, word in C.items():
                if word.encode() in text:
                    traces.sealed[slot].add(kind)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(node, list):
        for n, value in enumerate(node):
            yield from _leaves(value, f"{path}[{n}]")
    else:
        yield path, node


def _look(leaf: Any, where: str, hashes: Mapping[bytes, str], traces: Traces) -> None:
    octets = leaf if isinstance(leaf, bytes) else str(leaf).encode()
    if MARK.encode() in octets.lower():
        traces.plain.append(where)
    # A hash without a key would let anybody try what was written.
    if octets in hashes:
        traces.plain.append(f"{where} is a hash of {hashes[octets]}")


def _plain_hashes() -> dict[bytes, str]:
    known = {word: word.encode() for word in C.values()}
    known["the message"] = everything()
    known["the reverse-path"] = f"{C['reverse-path']}@sender.example".encode()
    known["the Message-ID"] = f"<{C['message-id']}@sender.example>".encode()
    found: dict[bytes, str] = {}
    for what, octets in known.items():
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, octets).digest()
            for cut in (digest, digest[:16], digest.hex().encode()):
                found[cut] = what
    return found


@pytest.fixture(scope="module")
def traces(system: System, tmp_path_factory: pytest.TempPathFactory) -> Traces:
    with open_house(load(data=system.data)) as house:
        return walk(house, tmp_path_factory.mktemp("registry") / "schemas.json")


# -- what was found


def test_no_plain_field_column_or_header_of_any_record_has_a_canary(traces: Traces) -> None:
    assert traces.plain == []


def test_the_walk_met_every_kind_of_record_that_is_made_so_far(traces: Traces) -> None:
    assert traces.types >= {
        "Received", "Authenticated", "Scored", "OpenMailbox", "Deliver", "ChangeLabels",
        "DefineLabel", "RenameLabel", "DefineFilter", "FilterDefined", "Expunge", "Restore",
        "MailboxOpened", "Threaded",
        "Labelled", "Delivered", "LabelDefined", "LabelRenamed", "Expunged", "Restored",
    }  # fmt: skip


@pytest.mark.parametrize("slot", SLOTS)
def test_a_canary_is_in_every_sealed_record_where_it_belongs(traces: Traces, slot: str) -> None:
    assert traces.sealed[slot] >= SLOTS[slot]


def test_a_canary_for_which_there_is_no_place_is_nowhere(traces: Traces) -> None:
    assert not any(traces.sealed[slot] for slot, where in SLOTS.items() if not where)


def test_the_reader_of_a_bounce_is_told_which_name_spf_judged(system: System) -> None:
    with system.api("ann@example.test") as api:
        judged = [
            api.get(f"/messages/{m['id']}", params={"format": "full"}).json()["authentication"]
            for m in messages(api, includeSpam=True)
        ]
    domains = {a["spf"]["domain"] for a in judged}
    assert domains == {"sender.example", f"{C['null-helo']}.example", ""}


def test_no_file_but_views_and_parts_has_a_canary(traces: Traces, system: System) -> None:
    found = {
        path.relative_to(system.data).parts[0]
        for path in system.data.rglob("*")
        if path.is_file() and MARK.encode() in path.read_bytes()
    }
    assert found == {"views", "parts"}


def test_no_log_line_has_a_canary(traces: Traces, system: System) -> None:
    log = system.data.with_name("data.log").read_bytes()
    assert b"DEBUG" in log
    assert MARK.encode() not in log.lower()


def test_no_measure_has_a_canary(traces: Traces, system: System) -> None:
    host, port = system.where["http"]
    text = httpx.get(f"http://{host}:{port}/api/v1/metrics").text
    assert "mailfold_http_requests" in text
    assert MARK not in text.lower()


def test_no_error_of_a_dead_letter_has_a_canary(tmp_path: Path) -> None:
    system = System(tmp_path / "data", {"MAILFOLD_LOG": "DEBUG"})
    ann = system.add_account("ann")
    system.start("--role", "mx")
    sender = f"{C['reverse-path']}@sender.example"
    send(system, f"{C['helo']}.example", sender, ann, everything())
    send(system, f"{C['helo']}.example", sender, ann, everything() + b"again\r\n")
    assert system.stop() == 0
    parts = system.data / "parts"
    shutil.rmtree(parts)
    parts.mkdir()
    system.start()
    try:
        dead = wait_until(lambda: system.run("dead", "list", "--json").stdout, what="a dead letter")
        assert len(dead.splitlines()) == 2
        assert "part-missing" in dead
        assert MARK not in dead.lower()
        for line in dead.splitlines():
            ident = str(msgspec.json.decode(line)["id"])
            assert MARK not in system.run("dead", "show", ident).stdout.lower()
        doctor = system.run("doctor", check=False)
        assert MARK not in (doctor.stdout + doctor.stderr).lower()
        retried = system.run("dead", "retry", "--all").stdout
        assert retried == "2 to be tried again\n"
        send(system, "client.example", sender, ann, mail("after"))
        with system.api(ann) as api:
            listed(api, "after")
        assert PASSWORD not in dead
    finally:
        assert system.stop() == 0
    log = (tmp_path / "data.log").read_text()
    assert "part-missing" in log
    assert MARK not in log.lower()
