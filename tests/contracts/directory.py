"""What every directory keeps to. A test module of an adapter supplies the fixture `open_directory`.

`open_directory()` returns a new SqlDirectory-like object over the same empty database each time.
"""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.directory.sql import MOST_TARGETS, SqlDirectory
from infra.ports import Directory, DirectoryError, Recipient
from schemas.parts import Forward

NOW = 1_700_000_000_000_000
LATER = NOW + 1_000_000

Open = Callable[[], SqlDirectory]


class DirectoryContract:
    @pytest.fixture
    def directory(self, open_directory: Open) -> SqlDirectory:
        directory = open_directory()
        directory.add_domain("example.test")
        return directory

    @pytest.fixture
    def ada(self, directory: SqlDirectory) -> str:
        return directory.add_account("ada@example.test", "secret").mailbox_id

    def test_it_satisfies_the_port(self, open_directory: Open) -> None:
        port: Directory = open_directory()
        assert port.accounts() == []

    @pytest.mark.parametrize("domain", ["example.test", "EXAMPLE.test", "example.test."])
    def test_a_domain_is_hosted_in_any_spelling(self, directory: SqlDirectory, domain: str) -> None:
        assert directory.hosts(domain)

    def test_an_internationalised_domain_is_hosted_in_both_forms(
        self, directory: SqlDirectory
    ) -> None:
        directory.add_domain("bücher.test")
        assert directory.hosts("xn--bcher-kva.test")
        assert directory.hosts("BÜCHER.test")

    def test_all_domains_that_are_hosted_are_told_at_once(self, open_directory: Open) -> None:
        directory, other = open_directory(), open_directory()
        assert directory.hosted() == frozenset()
        other.add_domain("bücher.test")
        assert directory.hosted() == {"xn--bcher-kva.test"}
        other.remove_domain("bücher.test")
        assert directory.hosted() == frozenset()

    def test_another_domain_is_not_hosted(self, directory: SqlDirectory) -> None:
        assert not directory.hosts("example.org")
        assert not directory.hosts("sub.example.test")

    @pytest.mark.parametrize("domain", ["", "a b", "-a.test", "a..b", "[127.0.0.1]", "a" * 64])
    def test_what_is_no_domain_is_refused(self, directory: SqlDirectory, domain: str) -> None:
        with pytest.raises(DirectoryError, match="not a domain"):
            directory.add_domain(domain)

    def test_a_domain_is_added_once(self, directory: SqlDirectory) -> None:
        with pytest.raises(DirectoryError, match="already"):
            directory.add_domain("Example.Test")

    @pytest.mark.parametrize(
        ("address", "detail"),
        [
            ("ada@example.test", ""),
            ("ADA@Example.Test", ""),
            ('"ada"@example.test', ""),
            ('"a\\da"@example.test', ""),
            ("ada+News@example.test", "News"),
            ("ada+a+b@example.test", "a+b"),
            ("ada+@example.test", ""),
        ],
    )
    def test_an_account_is_reached(
        self, directory: SqlDirectory, ada: str, address: str, detail: str
    ) -> None:
        found = directory.resolve(address)
        assert found is not None
        assert (found.mailbox_id, found.address, found.detail) == (ada, "ada@example.test", detail)

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "ada",
            "@example.test",
            "+x@example.test",
            "ada@",
            "bob@example.test",
            "ada@other.test",
        ],
    )
    def test_nobody_is_reached(self, directory: SqlDirectory, ada: str, address: str) -> None:
        assert directory.resolve(address) is None

    def test_an_alias_reaches_its_account(self, directory: SqlDirectory, ada: str) -> None:
        directory.add_alias("Sales@example.test", "ada@example.test")
        found = directory.resolve("sales+x@EXAMPLE.test")
        assert found is not None
        assert (found.mailbox_id, found.detail) == (ada, "x")

    def test_an_alias_keeps_the_detail_it_was_made_with(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        directory.add_alias("sales@example.test", "ada+shop@example.test")
        found = directory.resolve("sales@example.test")
        assert found is not None
        assert (found.mailbox_id, found.detail) == (ada, "shop")

    def test_a_remote_alias_is_listed_and_reaches_nobody_here(
        self, directory: SqlDirectory
    ) -> None:
        made = directory.add_alias("away@example.test", "ada@elsewhere.test")
        assert made.remote
        assert list(directory.aliases()) == [made]
        assert directory.resolve("away@example.test") is None

    def test_an_alias_reaches_accounts_and_other_hosts_together(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        directory.add_alias("team@example.test", "ada@example.test")
        directory.add_alias("Team@example.test", "Bob.B@Elsewhere.test")
        here, there = directory.reach("TEAM@example.test")
        assert isinstance(here, Recipient)
        assert here.mailbox_id == ada
        assert there == Forward(
            by="forward", alias="team@example.test", address="Bob.B@elsewhere.test"
        )
        assert directory.resolve("team@example.test") == here

    def test_an_alias_has_each_address_once_and_loses_them_one_by_one(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        directory.add_alias("team@example.test", "ada@example.test")
        with pytest.raises(DirectoryError, match="already of ada"):
            directory.add_alias("team@example.test", "ada@example.test")
        directory.add_alias("team@example.test", "Bob@elsewhere.test")
        directory.remove_alias("team@example.test", "bob@elsewhere.test")
        assert [type(r) for r in directory.reach("team@example.test")] == [Recipient]
        with pytest.raises(DirectoryError, match="no alias"):
            directory.remove_alias("team@example.test", "bob@elsewhere.test")

    def test_an_alias_has_so_many_addresses_and_no_more(self, directory: SqlDirectory) -> None:
        for n in range(MOST_TARGETS):
            directory.add_alias("team@example.test", f"a{n}@elsewhere.test")
        with pytest.raises(DirectoryError, match="the most"):
            directory.add_alias("team@example.test", "one.more@elsewhere.test")

    def test_what_was_on_another_host_is_ours_once_its_domain_is(
        self, directory: SqlDirectory
    ) -> None:
        directory.add_alias("away@example.test", "ada@elsewhere.test")
        directory.add_domain("elsewhere.test")
        assert list(directory.reach("away@example.test")) == []
        made = directory.add_account("ada@elsewhere.test", "x")
        assert [r.mailbox_id for r in directory.reach("away@example.test")] == [made.mailbox_id]  # type: ignore[union-attr]

    def test_an_alias_needs_an_account(self, directory: SqlDirectory) -> None:
        with pytest.raises(DirectoryError, match="no account"):
            directory.add_alias("sales@example.test", "nobody@example.test")

    def test_an_alias_and_an_account_never_share_a_name(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        directory.add_alias("sales@example.test", "ada@example.test")
        with pytest.raises(DirectoryError, match="alias already"):
            directory.add_account("sales@example.test", "x")
        with pytest.raises(DirectoryError, match="already"):
            directory.add_alias("ada@example.test", "ada@example.test")

    def test_a_removed_alias_reaches_nobody(self, directory: SqlDirectory, ada: str) -> None:
        directory.add_alias("sales@example.test", "ada@example.test")
        assert directory.resolve("sales@example.test") is not None
        directory.remove_alias("sales@example.test")
        assert directory.resolve("sales@example.test") is None
        with pytest.raises(DirectoryError, match="no alias"):
            directory.remove_alias("sales@example.test")

    @pytest.mark.parametrize(
        "address", ["ada", "a b@example.test", "ada+x@example.test", "a..b@example.test", "@x.test"]
    )
    def test_what_is_no_address_is_refused(self, directory: SqlDirectory, address: str) -> None:
        with pytest.raises(DirectoryError):
            directory.add_account(address, "x")

    def test_an_account_needs_a_domain_of_ours(self, directory: SqlDirectory) -> None:
        with pytest.raises(DirectoryError, match="domain add"):
            directory.add_account("ada@other.test", "x")

    def test_an_account_needs_a_password(self, directory: SqlDirectory) -> None:
        with pytest.raises(DirectoryError, match="empty"):
            directory.add_account("ada@example.test", "")

    def test_accounts_are_found_by_address_and_mailbox(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        bob = directory.add_account("bob@example.test", "x", quota_bytes=7)
        assert [a.address for a in directory.accounts()] == ["ada@example.test", "bob@example.test"]
        assert directory.account("BOB@example.test") == bob
        assert directory.account_of(bob.mailbox_id) == bob
        assert bob.quota_bytes == 7
        assert bob.mailbox_id != ada
        assert directory.account("bob+x@example.test") is None
        assert directory.account_of("none") is None

    def test_login_takes_the_right_password_alone(self, directory: SqlDirectory, ada: str) -> None:
        found = directory.login("Ada@example.test", "secret")
        assert found is not None
        assert found.mailbox_id == ada
        assert directory.login("ada@example.test", "Secret") is None
        assert directory.login("ada@example.test", "") is None
        assert directory.login("bob@example.test", "secret") is None
        assert directory.login("no address", "secret") is None

    def test_a_changed_password_counts_and_revokes_tokens(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        token = directory.create_token("ada@example.test", "read", LATER, NOW)
        directory.set_password("ada@example.test", "new")
        assert directory.login("ada@example.test", "secret") is None
        assert directory.login("ada@example.test", "new") is not None
        assert directory.grant(token, NOW) is None

    @pytest.mark.parametrize("scope", ["read", "write"])
    def test_a_token_grants_its_scope_until_it_expires(
        self, directory: SqlDirectory, ada: str, scope: str
    ) -> None:
        token = directory.create_token(
            "ada@example.test", "read" if scope == "read" else "write", LATER, NOW
        )
        grant = directory.grant(token, LATER - 1)
        assert grant is not None
        assert (grant.account.mailbox_id, grant.scope, grant.expires_at) == (ada, scope, LATER)
        assert directory.grant(token, LATER) is None

    @pytest.mark.parametrize("token", ["", "x", "\udcff", "é" * 1000])
    def test_an_unknown_token_grants_nothing(self, directory: SqlDirectory, token: str) -> None:
        assert directory.grant(token, NOW) is None

    def test_tokens_are_listed_without_themselves_and_revoked(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        token = directory.create_token("ada@example.test", "write", LATER, NOW)
        assert directory.grant(token, NOW) is not None
        (listed,) = directory.tokens("ada@example.test")
        assert token not in repr(listed)
        assert (listed.address, listed.scope, listed.expires_at) == (
            "ada@example.test",
            "write",
            LATER,
        )
        directory.revoke_token(listed.id)
        assert directory.grant(token, NOW) is None
        assert directory.tokens() == []
        with pytest.raises(DirectoryError, match="no token"):
            directory.revoke_token(listed.id)

    def test_a_token_needs_an_account_and_a_future(self, directory: SqlDirectory, ada: str) -> None:
        with pytest.raises(DirectoryError, match="no account"):
            directory.create_token("bob@example.test", "read", LATER, NOW)
        with pytest.raises(DirectoryError, match="expire"):
            directory.create_token("ada@example.test", "read", NOW, NOW)

    def test_a_removed_account_takes_aliases_and_tokens_along(
        self, directory: SqlDirectory, ada: str
    ) -> None:
        directory.add_alias("sales@example.test", "ada@example.test")
        token = directory.create_token("ada@example.test", "read", LATER, NOW)
        with pytest.raises(DirectoryError, match="remove those first"):
            directory.remove_domain("example.test")
        assert directory.remove_account("ada@example.test").mailbox_id == ada
        assert directory.resolve("ada@example.test") is None
        assert directory.resolve("sales@example.test") is None
        assert directory.grant(token, NOW) is None
        assert directory.account_of(ada) is None
        directory.remove_domain("example.test")
        assert not directory.hosts("example.test")
        with pytest.raises(DirectoryError, match="no domain"):
            directory.remove_domain("example.test")

    def test_a_change_by_another_process_is_seen_at_once(
        self, directory: SqlDirectory, open_directory: Open
    ) -> None:
        other = open_directory()
        assert directory.resolve("ada@example.test") is None
        made = other.add_account("ada@example.test", "x")
        found = directory.resolve("ada@example.test")
        assert found is not None
        assert found.mailbox_id == made.mailbox_id
        other.remove_account("ada@example.test")
        assert directory.resolve("ada@example.test") is None

    @settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(max_size=40), st.text(string.printable, max_size=20))
    def test_no_address_makes_it_fail(
        self, directory: SqlDirectory, local: str, domain: str
    ) -> None:
        assert directory.resolve(f"{local}@{domain}") is None
        assert directory.resolve(local) is None
