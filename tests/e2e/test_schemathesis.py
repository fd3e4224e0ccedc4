"""A running installation does what its OpenAPI document says, and nothing else.

Schemathesis makes requests that the document allows and requests that it forbids, and holds every
answer against it: status, media type, headers, shape, who is let in.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.canaries import everything
from tests.e2e.suite import ANN, messages
from tests.system import System, mail, wait_until

MAILS = 30

# A query is a language of its own, and what may be in a mailbox at once is for the mailbox to say:
# neither can be written into a schema.
ALLOWED = {
    "GET /mailboxes/{mailboxId}/messages": [400],
    "POST /mailboxes/{mailboxId}/filters": [400],
    "PUT /mailboxes/{mailboxId}/filters/{filterId}": [400],
    "POST /messages/{id}/modify": [400, 412],
    "POST /mailboxes/{mailboxId}/messages/batchModify": [400, 412],
}
ALWAYS = ["2xx", "3xx", 401, 403, 404, 409, 412, 429]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = System(tmp_path_factory.mktemp("schemathesis") / "data")
    made.add_account("ann")
    made.start()
    made.send(everything(), [ANN])
    for n in range(MAILS):
        raw = mail(f"subject {n}", f"word{n}\r\n", References=f"<{n // 3}@x.example>")
        made.send(raw, [ANN])
    with made.api(ANN) as api:
        wait_until(lambda: len(messages(api, maxResults=500, includeSpam=True)) == MAILS + 1)
    yield made
    assert made.stop() == 0


def values(system: System) -> dict[str, list[Any]]:
    """What is there: without it nearly every request would end at a name that does not exist."""
    with system.api(ANN) as api:
        found = messages(api, maxResults=500, includeSpam=True)
        made = api.post("/mailboxes/me/labels", json={"name": "Work"})
        page = api.get("/mailboxes/me/messages", params={"maxResults": 2}).json()
    big = next(m["id"] for m in found if m["hasAttachments"])
    return {
        "mailboxes": ["me"],
        "messages": [big, *(m["id"] for m in found)],
        "threads": sorted({m["threadId"] for m in found}),
        "labels": [made.json()["id"], "INBOX", "TRASH"],
        "attachments": ["3", "4"],
        "seqs": [0, 1],
        "tokens": ["", page["nextPageToken"]],
        "queries": ["subject", "word1*", "from:you OR larger:1", "-a is:read", '"a b"', "("],
    }


def bound(name: str, probability: float = 0.8) -> str:
    return f'{{ dictionary = "{name}", probability = {probability} }}'


def configuration(system: System, token: str) -> str:
    lines = [
        'headers = { Authorization = "' + token + '" }',
        "request-timeout = 20",
        "max-stream-events = 3",
        "continue-on-failure = true",
        "[warnings]",
        "display = []",
    ]
    for name, there in values(system).items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(there)}"]
    lines += ["[checks.positive_data_acceptance]", f"expected-statuses = {json.dumps(ALWAYS)}"]
    lines += [
        "[parameters]",
        f'"path.mailboxId" = {bound("mailboxes", 0.9)}',
        f'"path.labelId" = {bound("labels")}',
        f'"path.attachmentId" = {bound("attachments")}',
        f'"query.q" = {bound("queries")}',
        f'"query.pageToken" = {bound("tokens")}',
        # Changes that are not there yet are waited for.
        f'"query.since" = {bound("seqs", 0.97)}',
        f'"query.minSeq" = {bound("seqs", 0.97)}',
    ]
    for pattern, name in (("/messages/", "messages"), ("/threads/", "threads")):
        lines += [
            "[[operations]]",
            f'include-path-regex = "{pattern}[{{]id[}}]"',
            "[operations.parameters]",
            f'"path.id" = {bound(name)}',
        ]
    for operation, statuses in ALLOWED.items():
        method, _, path = operation.partition(" ")
        lines += [
            "[[operations]]",
            f'include-method = "{method}"',
            f'include-path = "/api/v1{path}"',
            "[operations.checks.positive_data_acceptance]",
            f"expected-statuses = {json.dumps(ALWAYS + statuses)}",
        ]
    return "\n".join(lines) + "\n"


@contextmanager
def something_going_on(system: System) -> Generator[None]:
    """Meanwhile stars come and go, so that a stream has something to send."""
    over = threading.Event()

    def work() -> None:
        with system.api(ANN) as api:
            starred = True
            while not over.wait(0.2):
                for m in messages(api, maxResults=1):
                    api.post(f"/messages/{m['id']}/modify", json={"isStarred": starred})
                starred = not starred

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def examine(system: System, folder: Path, phases: str, examples: int, seed: int) -> str:
    """Run it, with so many examples an operation; return what it reports."""
    with system.api(ANN) as api:
        where, token = str(api.base_url), api.headers["Authorization"]
    file = folder / "schemathesis.toml"
    file.write_text(configuration(system, token))
    with something_going_on(system):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(file)),
                *("run", f"{where}openapi.json", "--checks", "all", "--phases", phases),
                *("--max-examples", str(examples), "--seed", str(seed), "--no-color"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_api_does_what_its_document_says(system: System, tmp_path: Path) -> None:
    told = examine(system, tmp_path, "fuzzing,stateful", examples=5, seed=1)
    calls = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", told)
    assert calls is not None, told
    assert len(set(calls.groups())) == 1, told


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_api_does_what_its_document_says_at_length(system: System, tmp_path: Path) -> None:
    examine(system, tmp_path, "examples,coverage,fuzzing,stateful", examples=100, seed=2)
