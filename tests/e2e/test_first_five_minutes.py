"""What the README promises of the first five minutes, run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.demo import Demo
from tests.e2e.documented import Line, blocks
from tests.system import ROOT, wait_until

README = ROOT / "README.md"
LIST = 'curl -sS -H "Authorization: Bearer $TOKEN" "$API/mailboxes/me/messages"'


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    made = Demo(tmp_path_factory.mktemp("demo"))
    made.start()
    yield made
    if made.process is not None:
        made.interrupt()


def test_it_prints_where_it_listens_a_password_and_a_command_to_try(demo: Demo) -> None:
    ready, login, send, rest = demo.said
    where = r"127\.0\.0\.1:\d+"
    assert re.fullmatch(f"ready smtp={where} lmtp={where} http={where}", ready)
    assert re.fullmatch(r"log in as demo@example\.test, password \S{12}", login)
    assert send.startswith("send a mail:  printf ")
    assert rest.startswith("the REST API: http://127.0.0.1:")


def test_the_readme_has_one_block_for_the_first_five_minutes() -> None:
    (block,) = (b for b in blocks(README) if b.mark == "first-five-minutes")
    assert len(block.lines) > 10


def test_every_line_does_what_it_says(demo: Demo) -> None:
    shell = demo.shell()
    (block,) = (b for b in blocks(README) if b.mark == "first-five-minutes")
    shown = {line.command: shell.check(line) for line in block.lines}
    (trace,) = (text for command, text in shown.items() if command.endswith('/trace"'))
    for event in ("Received", "Authenticated", "Scored", "Threaded", "Labelled", "Delivered"):
        assert f'"type":"{event}"' in trace
    (history,) = (text for command, text in shown.items() if "history" in command)
    assert history.count('"Delivered"') == 7  # six samples and the one that was sent


def test_the_command_that_it_prints_sends_a_mail(demo: Demo) -> None:
    shell = demo.shell()
    shell.check(Line(demo.said[2].removeprefix("send a mail:  ")))
    shell.check(Line("TOKEN=$(mailfold token create demo@example.test)"))
    shell.check(Line("API=http://127.0.0.1:8080/api/v1"))
    wait_until(lambda: '"resultSizeEstimate":8' in shell.check(Line(LIST)), what="it is listed")


def test_the_sample_mails_show_a_conversation_an_attachment_and_another_script(demo: Demo) -> None:
    shell = demo.shell()
    shown = shell.check(Line(LIST))
    assert "会議の資料" in shown
    assert '"hasAttachments":true' in shown
    threads = re.findall(r'"threadId":"([^"]+)"', shown)
    assert max(map(threads.count, threads)) == 3


def test_it_stops_with_ctrl_c_and_starts_again_with_all_that_was_there(demo: Demo) -> None:
    assert demo.interrupt() == 0
    _, login, _, _ = demo.start()
    assert login == "log in as demo@example.test (its password was printed at the first start)"
    shell = demo.shell()
    shell.check(Line("API=http://127.0.0.1:8080/api/v1"))
    again = shell.check(Line(LIST))
    assert '"resultSizeEstimate":8' in again
    assert again.count('"subject":"Welcome to mailfold"') == 1
    assert demo.interrupt() == 0
    assert (demo.folder / "demo.log").read_text() == ""
