"""What a user sees of a whole installation, the same on every profile.

A test module gives a module-scoped `system` fixture, started, with the accounts ann and bob, and
inherits `EndToEnd`.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from typing import Any

import httpx

from tests.system import System, mail, wait_until

ANN, BOB = "ann@example.test", "bob@example.test"
STAGES = ["Received", "Authenticated", "Scored", "Threaded", "Labelled", "Delivered"]


def messages(api: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """Return a page of the caller's messages."""
    answer = api.get("/mailboxes/me/messages", params=query)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


def listed(api: httpx.Client, subject: str, **query: Any) -> dict[str, Any]:
    """Return the message with that subject as soon as it is listed."""
    return wait_until(
        lambda: next((m for m in messages(api, **query) if m["subject"] == subject), None),
        what=f"{subject!r} is listed",
    )


def fresh() -> str:
    """Return a subject that no other test has."""
    return f"subject {uuid.uuid4().hex[:12]}"


class EndToEnd:
    """The suite."""

    def test_a_mail_is_listed_and_reads_back_byte_for_byte(self, system: System) -> None:
        raw = mail(subject := fresh(), "Über .dots\r\n.\r\n..two\r\n")
        system.send(raw, [ANN])
        with system.api(ANN) as api:
            found = listed(api, subject)
            original = api.get(f"/messages/{found['id']}", params={"format": "original"})
            assert original.content == raw
            assert original.headers["content-type"].startswith("message/rfc822")

    def test_a_listed_message_has_what_the_promise_says(self, system: System) -> None:
        system.send(mail(subject := fresh(), "Hello there.\r\n"), [ANN])
        with system.api(ANN) as api:
            found = listed(api, subject)
        assert found["labelIds"] == ["INBOX"]
        assert found["from"] == {"email": "you@sender.example", "name": "You"}
        assert [t["email"] for t in found["to"]] == ["demo@example.test"]
        assert found["snippet"] == "Hello there."
        assert (found["isRead"], found["isStarred"], found["hasAttachments"]) == (False,) * 3
        assert found["date"].startswith("2026-11-24T08:00:00")
        assert found["sizeBytes"] == len(mail(subject, "Hello there.\r\n"))

    def test_the_message_as_shown_has_our_trace_headers_on_top(self, system: System) -> None:
        raw = mail(subject := fresh())
        system.send(raw, [ANN])
        with system.api(ANN) as api:
            found = listed(api, subject)
            shown = api.get(f"/messages/{found['id']}", params={"format": "raw"}).content
        assert shown.endswith(raw)
        head = shown[: -len(raw)].decode()
        assert head.startswith("Return-Path: <you@sender.example>\r\n")
        assert re.search(r"^Authentication-Results: mx\.example\.test", head, re.MULTILINE)
        assert re.search(r"^Received: from client\.example ", head, re.MULTILINE)

    def test_a_filter_holds_from_then_on(self, system: System) -> None:
        subject = fresh()
        with system.api(ANN) as api:
            label = api.post("/mailboxes/me/labels", json={"name": subject}).json()["id"]
            asked = {"query": f"{subject} needle", "addLabelIds": [label], "archive": True}
            answer = api.post("/mailboxes/me/filters", json={**asked, "star": True})
            made = answer.raise_for_status().json()
            system.send(mail(subject, "Hay, and a needle in it.\r\n"), [ANN])
            found = listed(api, subject)
            assert (found["labelIds"], found["isStarred"]) == ([label], True)
            trace = api.get(f"/messages/{found['id']}/trace").json()["events"]
            labelled = next(x for x in trace if x["type"] == "Labelled")
            assert (labelled["by"], labelled["filters"]) == ("filter", [made["id"]])
            api.delete(f"/mailboxes/me/filters/{made['id']}").raise_for_status()
            system.send(mail(again := subject + " again", "A needle.\r\n"), [ANN])
            assert listed(api, again)["labelIds"] == ["INBOX"]

    def test_a_change_is_seen_in_list_history_and_stream(self, system: System) -> None:
        system.send(mail(subject := fresh()), [ANN])
        with system.api(ANN) as api:
            found = listed(api, subject)
            seen: list[dict[str, Any]] = []
            ready = threading.Event()

            def follow() -> None:
                with api.stream("GET", "/mailboxes/me/stream") as answer:
                    ready.set()
                    for line in answer.iter_lines():
                        if line.startswith("data:"):
                            seen.append(json.loads(line[5:]))
                            if seen[-1].get("messageId") == found["id"]:
                                return

            follower = threading.Thread(target=follow, daemon=True)
            follower.start()
            ready.wait(10)
            time.sleep(0.2)
            changed = api.post(f"/messages/{found['id']}/modify", json={"isRead": True})
            assert changed.status_code == 200
            assert changed.json()["isRead"] is True
            follower.join(10)
            assert seen[-1]["type"] == "Labelled"
            history = api.get("/mailboxes/me/history", params={"since": found["seq"]}).json()
            assert [e["type"] for e in history["events"] if e.get("messageId") == found["id"]] == [
                "Labelled"
            ]
            assert listed(api, subject)["isRead"] is True

    def test_the_history_has_every_seq_once(self, system: System) -> None:
        with system.api(ANN) as api:
            seqs: list[int] = []
            since = 0
            while True:
                page = api.get("/mailboxes/me/history", params={"since": since}).json()
                if not page["events"]:
                    break
                seqs += [e["seq"] for e in page["events"]]
                since = page["nextSince"]
        assert seqs == list(range(1, len(seqs) + 1))

    def test_the_trace_tells_all_stages(self, system: System) -> None:
        reply = system.send(mail(subject := fresh()), [ANN])
        with system.api(ANN) as api:
            found = listed(api, subject)
            trace = api.get(f"/messages/{found['id']}/trace").json()
        types = [e["type"] for e in trace["events"]]
        assert [t for t in types if t in STAGES] == STAGES
        mail_id = reply.split()[-1]
        printed = system.run("trace", mail_id, "--json").stdout
        told = [json.loads(line)["type"] for line in printed.splitlines()]
        assert [t for t in told if t in STAGES] == STAGES

    def test_a_conversation_has_one_thread(self, system: System) -> None:
        ident = f"<{uuid.uuid4()}@sender.example>"
        system.send(mail(one := fresh(), Message_ID=ident), [ANN])
        system.send(mail(two := fresh(), In_Reply_To=ident, References=ident), [ANN])
        with system.api(ANN) as api:
            assert listed(api, one)["threadId"] == listed(api, two)["threadId"]

    def test_a_mail_for_two_is_in_both_mailboxes(self, system: System) -> None:
        system.send(mail(subject := fresh()), [ANN, BOB])
        with system.api(ANN) as ann, system.api(BOB) as bob:
            assert listed(ann, subject)["id"] != listed(bob, subject)["id"]

    def test_one_account_does_not_see_the_other(self, system: System) -> None:
        system.send(mail(subject := fresh()), [ANN])
        with system.api(ANN) as ann, system.api(BOB) as bob:
            ident = listed(ann, subject)["id"]
            for path in ("", "/trace"):
                answer = bob.get(f"/messages/{ident}{path}")
                assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
            assert bob.delete(f"/messages/{ident}").status_code == 404
            assert all(m["subject"] != subject for m in messages(bob))

    def test_a_sender_s_retry_is_no_second_message(self, system: System) -> None:
        raw = mail(subject := fresh())
        system.send(raw, [ANN])
        system.send(raw, [ANN])
        system.send(mail(after := fresh()), [ANN])
        with system.api(ANN) as api:
            listed(api, after)
            assert [m["subject"] for m in messages(api)].count(subject) == 1

    def test_delete_goes_to_trash_then_away_and_comes_back(self, system: System) -> None:
        system.send(mail(subject := fresh()), [ANN])
        with system.api(ANN) as api:
            ident = listed(api, subject)["id"]
            assert api.delete(f"/messages/{ident}").is_success
            assert all(m["id"] != ident for m in messages(api))
            assert any(m["id"] == ident for m in messages(api, labelIds="TRASH"))
            assert api.delete(f"/messages/{ident}").is_success
            assert api.get(f"/messages/{ident}").status_code == 404
            assert api.post(f"/messages/{ident}/restore").is_success
            assert api.get(f"/messages/{ident}").status_code == 200

    def test_a_label_is_made_given_counted_and_deleted(self, system: System) -> None:
        system.send(mail(subject := fresh()), [ANN])
        name = f"Work/{uuid.uuid4().hex[:6]}"
        with system.api(ANN) as api:
            ident = listed(api, subject)["id"]
            made = api.post("/mailboxes/me/labels", json={"name": name})
            assert made.status_code == 201
            label = made.json()["id"]
            api.post(f"/messages/{ident}/modify", json={"addLabelIds": [label]})
            assert [m["id"] for m in messages(api, labelIds=label)] == [ident]
            rows = api.get("/mailboxes/me/labels").json()["labels"]
            assert next(r for r in rows if r["id"] == label)["name"] == name
            assert api.delete(f"/mailboxes/me/labels/{label}").is_success
            assert listed(api, subject)["labelIds"] == ["INBOX"]

    def test_the_mailbox_as_it_was_then(self, system: System) -> None:
        system.send(mail(first := fresh()), [ANN])
        with system.api(ANN) as api:
            ident = listed(api, first)["id"]
            time.sleep(0.05)
            then = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            then += f".{int(time.time() * 1000) % 1000:03d}Z"
            time.sleep(0.05)
            api.delete(f"/messages/{ident}")
            assert all(m["id"] != ident for m in messages(api))
            assert any(m["id"] == ident for m in messages(api, at=then))

    def test_a_mail_is_found_by_a_word_of_its_text(self, system: System) -> None:
        word = f"w{uuid.uuid4().hex[:12]}"
        system.send(
            mail(subject := fresh(), f"Before it {word.upper()}, and after.\r\n"), [ANN, BOB]
        )
        with system.api(ANN) as api:
            found = listed(api, subject, q=f"{word} from:you@sender.example is:unread")
            assert found["snippetParts"] == ["Before it ", word.upper(), ", and after."]
            assert [m["id"] for m in messages(api, q=word[:9] + "*")] == [found["id"]]
            api.post(f"/messages/{found['id']}/modify", json={"isRead": True})
            head = api.get("/mailboxes/me").json()["seq"]
            assert messages(api, q=f"{word} is:unread", minSeq=head) == []
            answer = api.get("/mailboxes/me/messages", params={"q": "a OR"})
            assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
        printed = system.run("search", ANN, f"body:{word}", "--json").stdout
        assert [json.loads(line)["id"] for line in printed.splitlines()] == [found["id"]]

    def test_search_equals_a_fold_of_the_log_and_is_the_same_when_rebuilt(
        self, system: System
    ) -> None:
        assert "equals" in system.run("projection", "verify", "search").stdout
        with system.api(ANN) as api:
            before = messages(api, q="-nothing in:anywhere", maxResults=500)
            assert before
            system.run("projection", "rebuild", "search")
            assert messages(api, q="-nothing in:anywhere", maxResults=500) == before
        assert "equals" in system.run("projection", "verify", "search").stdout

    def test_the_projection_equals_a_fold_of_the_log(self, system: System) -> None:
        done = system.run("projection", "verify", "mailbox")
        assert "equals" in done.stdout

    def test_a_rebuilt_projection_is_the_same(self, system: System) -> None:
        with system.api(ANN) as api:
            before = messages(api, maxResults=500)
            system.run("projection", "rebuild", "mailbox")
            assert messages(api, maxResults=500) == before
            assert system.run("projection", "verify", "mailbox").returncode == 0

    def test_an_unknown_recipient_is_refused(self, system: System) -> None:
        try:
            system.send(mail(fresh()), ["nobody@example.test"])
        except ConnectionError as refused:
            text = str(refused)
        assert text.startswith("550 5.1.1")

    def test_doctor_finds_nothing_wrong(self, system: System) -> None:
        done = system.run("doctor", "--deep", "--json", check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        # How much room there is on the disk is not the system's.
        wrong = {r["check"]: r["finding"] for r in rows if not r["ok"] and r["check"] != "disk"}
        assert wrong == {}
        assert len(rows) > 10

    def test_nothing_is_left_dead(self, system: System) -> None:
        assert system.run("dead", "list").stdout == ""
