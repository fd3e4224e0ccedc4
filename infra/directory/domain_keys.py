"""The signing keys of our domains in the directory's database (port DomainKeys)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from infra.directory.database import Database
from infra.directory.names import valid_domain
from infra.directory.tables import DOMAIN, DOMAIN_KEY
from infra.ports import Clock, DirectoryError, DomainKey, DomainKeyKind


class SqlDomainKeys:
    """Signing keys at a SQLAlchemy `url`. All methods raise EngineDown."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._database = Database(url, clock)

    def add(self, keys: Sequence[DomainKey]) -> None:
        """Keep new keys, all or none. Raises DirectoryError when a selector was in use before."""
        try:
            with self._database.begin() as c:
                c.execute(
                    insert(DOMAIN_KEY),
                    [
                        {
                            "domain": key.domain,
                            "selector": key.selector,
                            "kind": key.kind,
                            "created_at": key.created_at,
                            "record": key.record,
                            "key_id": key.key_id,
                            "sealed": key.sealed,
                        }
                        for key in keys
                    ],
                )
        except IntegrityError as e:
            raise DirectoryError("somebody else changed the keys meanwhile; try again") from e

    def of(self, domain: str) -> Sequence[DomainKey]:
        """Return the keys of a domain, oldest first. Raises DirectoryError when it is not ours."""
        name = valid_domain(domain)
        with self._database.connect() as c:
            if c.execute(select(DOMAIN.c.name).where(DOMAIN.c.name == name)).first() is None:
                raise DirectoryError(
                    f"the domain {name} is not hosted here; add it with `domain add` first"
                )
            rows = c.execute(
                select(DOMAIN_KEY)
                .where(DOMAIN_KEY.c.domain == name)
                .order_by(DOMAIN_KEY.c.created_at, DOMAIN_KEY.c.selector)
            ).all()
        return [_key(row) for row in rows]

    def forget(self, keys: Sequence[DomainKey]) -> None:
        """Keep the private halves of these keys no longer; their selectors stay taken."""
        with self._database.begin() as c:
            for key in keys:
                c.execute(
                    update(DOMAIN_KEY)
                    .where(DOMAIN_KEY.c.domain == key.domain)
                    .where(DOMAIN_KEY.c.selector == key.selector)
                    .values(sealed=b"")
                )

    def close(self) -> None:
        """Give the database's connections back."""
        self._database.close()


def _key(row: Row[Any]) -> DomainKey:
    return DomainKey(
        domain=row.domain,
        selector=row.selector,
        kind=cast("DomainKeyKind", row.kind),
        created_at=row.created_at,
        record=row.record,
        key_id=row.key_id,
        sealed=row.sealed,
    )
