"""`mailfold check`: one message, with or without an installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mail.authentication.arc import check_arc
from mail.authentication.arc_seal import seal
from mail.authentication.dkim import DkimPolicy
from mail.authentication.message import Message
from mailfold.cli.accounts import domain
from mailfold.cli.check import check
from tests.authentication.kit import NOW, PLAIN, key_for, keys_of, signed, zone
from tests.dns_server import DnsServer

ZONE: dict[str, Any] = {
    "example.com": [{"TXT": ["v=spf1 ip4:192.0.2.1 ", "-all exp=why.example.com"]}],
    "why.example.com": [{"TXT": "%{i} is not ours"}],
    "_dmarc.example.com": [{"TXT": "v=DMARC1; p=reject; sp=none"}],
    **keys_of("example.com"),
}
SENDER = ["--helo", "mail.example.com", "--mail-from", "ann@example.com"]


def _run(folder: Path, *arguments: str, raw: bytes | None = None, form: str = "yaml") -> Result:
    path = folder / "zone"
    path.write_text(json.dumps(ZONE) if form == "json" else yaml.safe_dump(ZONE))
    return CliRunner().invoke(check, [*arguments, "--zone", str(path)], input=raw)


def _document(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    return json.loads(result.output)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_document_has_all_checks(tmp_path: Path, form: str) -> None:
    result = _run(
        tmp_path, "-", "--ip", "192.0.2.1", *SENDER, "--json", form=form,
        raw=signed(PLAIN, "example.com"),
    )  # fmt: skip
    found = _document(result)
    assert (found["spf"]["result"], found["spf"]["domain"]) == ("pass", "example.com")
    assert [one["result"] for one in found["dkim"]] == ["pass"]
    assert found["dkim"][0]["domain"] == "example.com"
    assert found["dkim"][0]["selector"] == "k1"
    assert found["arc"]["result"] == "none"
    assert found["dmarc"]["result"] == "pass"
    assert found["dmarc"]["policy"] == "reject"
    assert found["dmarc"]["disposition"] == "none"
    assert found["dmarc"]["domain"] == "example.com"
    assert set(found["spam"]) == {"verdict", "probability", "reasons"}
    assert all(found[part]["reason"] for part in ("spf", "arc", "dmarc"))


def test_a_failure_says_why(tmp_path: Path) -> None:
    found = _document(_run(tmp_path, "-", "--ip", "192.0.2.9", *SENDER, "--json", raw=PLAIN))
    assert found["spf"]["result"] == "fail"
    assert found["spf"]["explanation"] == "192.0.2.9 is not ours"
    assert found["dmarc"]["disposition"] == "reject"
    assert "192.0.2.9 matches -all" in found["spf"]["reason"]


def test_without_a_file_spf_alone_is_checked(tmp_path: Path) -> None:
    found = _document(_run(tmp_path, "--ip", "192.0.2.1", *SENDER, "--json"))
    assert list(found) == ["spf"]
    assert found["spf"]["result"] == "pass"


def test_without_a_file_the_null_path_is_checked_by_helo(tmp_path: Path) -> None:
    found = _document(_run(tmp_path, "--ip", "192.0.2.1", "--helo", "example.com", "--json"))
    assert (found["spf"]["domain"], found["spf"]["identity"]) == ("example.com", "helo")


def test_a_file_with_bare_line_feeds_is_a_message(tmp_path: Path) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(signed(PLAIN, "example.com").replace(b"\r\n", b"\n"))
    found = _document(_run(tmp_path, str(path), "--json"))
    assert found["dkim"][0]["result"] == "pass"
    assert found["spf"]["result"] == "none"


def test_a_person_reads_lines(tmp_path: Path) -> None:
    result = _run(tmp_path, "-", "--ip", "192.0.2.9", *SENDER, raw=PLAIN)
    assert result.exit_code == 0
    for start in ("SPF   fail", "DKIM  none", "ARC   none", "DMARC fail", "spam"):
        assert f"\n{start}" in "\n" + result.output
    assert "example.com explains: 192.0.2.9 is not ours" in result.output


@pytest.mark.parametrize(
    "arguments",
    [[], ["--ip", "192.0.2.1"], ["--mail-from", "a@b.test"], ["-", "--ip", "192.0.2.999"]],
)
def test_wrong_usage_is_exit_status_2(tmp_path: Path, arguments: list[str]) -> None:
    assert _run(tmp_path, *arguments, raw=PLAIN).exit_code == 2


@pytest.mark.parametrize("content", ["- a", "a: b", "a.test: [x]", "a.test: [{MX: 1}]", "{", "7"])
def test_a_zone_that_cannot_be_read_is_exit_status_1(tmp_path: Path, content: str) -> None:
    path = tmp_path / "zone.yml"
    path.write_text(content)
    result = CliRunner().invoke(check, ["-", "--zone", str(path)], input=PLAIN)
    assert result.exit_code == 1
    assert result.output.startswith("mailfold: ")
    assert result.output.count("\n") == 1


def test_a_file_that_is_not_there_is_exit_status_1(tmp_path: Path) -> None:
    result = _run(tmp_path, str(tmp_path / "absent.eml"))
    assert result.exit_code == 1
    assert "absent.eml" in result.output


def test_without_a_zone_the_servers_of_the_settings_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAILFOLD_DATA", str(tmp_path))
    with DnsServer(ZONE) as server:
        monkeypatch.setenv("MAILFOLD_DNS", server.address)
        arguments = ["-", "--ip", "192.0.2.1", *SENDER, "--json"]
        result = CliRunner().invoke(check, arguments, input=signed(PLAIN, "example.com"))
        found = _document(result)
    assert found["dmarc"]["result"] == "pass"
    assert server.asked


def test_a_seal_that_is_trusted_by_the_settings_overrides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = {"example.com": "v=spf1 -all", "_dmarc.example.com": "v=DMARC1; p=reject"}
    published = zone(data, keys_of("list.test"))
    raw = PLAIN.replace(b"hello", b"[list] hello")
    results = "mx.list.test; dmarc=pass header.from=example.com"
    sealed = (
        seal(
            raw,
            results,
            check_arc(Message(raw), published, policy=DkimPolicy()),
            key_for("list.test"),
            NOW,
        )
        + raw
    )
    path = tmp_path / "zone.yml"
    path.write_text(
        yaml.safe_dump({**{k: [{"TXT": v}] for k, v in data.items()}, **keys_of("list.test")})
    )
    monkeypatch.setenv("MAILFOLD_DATA", str(tmp_path / "absent"))
    found: list[str] = []
    for trusted in ("", "LIST.test"):
        monkeypatch.setenv("MAILFOLD_TRUSTED_SEALERS", trusted)
        arguments = ["-", "--zone", str(path), "--json"]
        document = _document(CliRunner().invoke(check, arguments, input=sealed))
        assert document["arc"]["result"] == "pass"
        found.append(document["dmarc"]["disposition"])
    assert found == ["reject", "none"]
    assert document["dmarc"]["code"] == "dmarc_arc_override"
    assert not (tmp_path / "absent").exists()


def test_our_name_in_the_results_is_that_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAILFOLD_HOSTNAME", "mx.receiver.test")
    found = _document(_run(tmp_path, "-", "--json", raw=PLAIN))
    assert found["authenticationResults"].startswith("mx.receiver.test;")


def test_a_sender_that_can_be_mistaken_for_a_domain_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAILFOLD_DATA", str(tmp_path / "data"))
    raw = PLAIN.replace(b"ann@example.com", b"ann@examp1e.com")
    assert _document(_run(tmp_path, "-", "--json", raw=raw))["from"]["suspicions"] == []
    CliRunner().invoke(domain, ["add", "example.com"], catch_exceptions=False)
    found = _document(_run(tmp_path, "-", "--json", raw=raw))
    assert [one["code"] for one in found["from"]["suspicions"]] == ["from_lookalike"]
    assert found["spam"]["reasons"] == ["The sender's domain can be mistaken for another one."]
    assert "From  beware" in _run(tmp_path, "-", raw=raw).output


@pytest.mark.parametrize(
    ("name", "value"), [("TRUSTED_SEALERS", "a b"), ("DNS_TIMEOUT", "0"), ("DNS", "x:y:z")]
)
def test_a_setting_that_can_not_be_used_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv("MAILFOLD_DATA", str(tmp_path))
    monkeypatch.setenv(f"MAILFOLD_{name}", value)
    result = CliRunner().invoke(check, ["-"], input=PLAIN)
    assert result.exit_code == 1
    assert result.output.startswith("mailfold: ")
    assert result.output.count("\n") == 1
