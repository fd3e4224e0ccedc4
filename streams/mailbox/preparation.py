"""Make commands ready for decide: open what is sealed, read what threading and listing need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from infra.ports import Content, ContentStore, EngineDown, KeyStore, PartMissing, Random
from mail.query.document import Document, Letter, document_of
from mail.query.language import BadQuery, parse
from mail.query.match import reads_content, reads_lists
from mail.query.tree import Node
from mail.segments import SkeletonError
from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from schemas.codec import CodecError
from schemas.content import open_received
from schemas.events import Received
from schemas.parts import Digest, FilterSecret, LabelSecret, ReceivedSecret
from schemas.seal import SealError, seal, unseal
from streams.mailbox.clues import Print, bare_clues, clues_of
from streams.mailbox.definitions import name_print
from streams.mailbox.draft import event_identity
from streams.mailbox.needs import ERASED, NOTHING, Mail, Prepared

S = TypeVar("S", LabelSecret, FilterSecret)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A mail's digest with its trace fields; without one, `missing` says why."""

    digest: Digest | None = None
    missing: str = ""


def query_of(text: str) -> Node | None:
    """Return the tree of a filter's query, None when it has a mistake."""
    try:
        return parse(text)
    except BadQuery:
        return None


class Asks(NamedTuple):
    """What the filters of a mailbox look at beyond a digest that is whole."""

    content: bool
    lists: bool

    @classmethod
    def of(cls, queries: Iterable[Node]) -> Asks:
        """Return what any of `queries` looks at."""
        trees = list(queries)
        return cls(any(map(reads_content, trees)), any(map(reads_lists, trees)))


Original = Callable[[ReceivedSecret], bytes]
"""The message as it came, of what its Received seals; raises PartMissing, SkeletonError."""


class Desk:
    """Prepares the commands of one batch; each mail is opened once, however many mailboxes get it.

    `fetch` reads everything; the rest is pure.
    """

    def __init__(
        self,
        content: ContentStore,
        keys: KeyStore,
        prints: Print,
        join_original: Original,
        random: Random,
    ) -> None:
        self._content = content
        self._keys = keys
        self._prints = prints
        self._original = join_original
        self._random = random
        self._contents: dict[str, Content] = {}
        self._mail_keys: dict[str, bytes] = {}
        self._documents: dict[tuple[str, bool], Document | None] = {}
        self._opened: dict[str, _Opened] = {}
        self._mailbox_keys: dict[str, bytes] = {}

    def fetch(self, mail_ids: Sequence[str], mailbox_ids: Sequence[str]) -> None:
        """Read mails and the keys of mailboxes. Raises EngineDown."""
        new = [m for m in dict.fromkeys(mail_ids) if m not in self._opened]
        if not new and not mailbox_ids:
            return
        contents = self._content.get(new)
        keys = self._keys.get([*new, *mailbox_ids])
        destroyed = self._keys.destroyed([m for m in new if m not in keys])
        for mail_id in new:
            if mail_id in destroyed:
                self._opened[mail_id] = _Opened(missing=ERASED)
            else:
                self._opened[mail_id] = self._open(mail_id, contents, keys)
        self._contents.update(contents)
        self._mail_keys.update({m: keys[m] for m in new if m in keys})
        self._mailbox_keys.update({m: keys[m] for m in mailbox_ids if m in keys})

    def mail(self, mailbox_id: str, mail_id: str) -> tuple[Mail | None, str]:
        """Return a mail as one mailbox sees it, or None and why there is none."""
        opened = self._opened[mail_id]
        if opened.digest is None:
            return None, opened.missing
        # A defect in reading mail never stops mail.
        try:
            clues = clues_of(opened.digest, self._prints, mailbox_id, mail_id)
        except Exception:  # noqa: BLE001
            digest = msgspec.structs.replace(opened.digest, unreadable=True)
            clues = bare_clues(self._prints, mailbox_id, mail_id)
            return Mail(digest, clues, readable=False), ""
        return Mail(opened.digest, clues), ""

    def document(self, mail_id: str, asked: Asks) -> Document | None:
        """Return what filters look at in a mail, None when a defect is in the way.

        Its content is read when a filter asks for what the digest does not hold; where it is not
        to be had the digest alone is looked at, as a search does. Raises EngineDown.
        """
        digest = self._opened[mail_id].digest
        if digest is None:
            return None
        whole = asked.content or (asked.lists and digest.truncated)
        if (mail_id, whole) not in self._documents:
            # A defect in reading mail never stops mail.
            try:
                letter = self._letter(mail_id) if whole else None
                found = document_of(digest, letter)
            except EngineDown:
                raise
            except Exception:  # noqa: BLE001
                found = None
            self._documents[mail_id, whole] = found
        return self._documents[mail_id, whole]

    def _letter(self, mail_id: str) -> Letter | None:
        try:
            received = self._contents[mail_id].received.decode()
            if not isinstance(received, Received):
                return None
            return Letter.of(self._original(open_received(received, self._mail_keys[mail_id])))
        except (SealError, CodecError, PartMissing, SkeletonError):
            return None

    def prepare(self, command: c.Command) -> Prepared:
        """Return what a command needs from outside, as far as it is known before its mailbox."""
        match command:
            case c.Deliver():
                mail, missing = self.mail(command.mailbox_id, command.mail_id)
                return Prepared(
                    {} if mail is None else {command.mail_id: mail},
                    missing=missing,
                    message_id=identity.message_id(command.mailbox_id, command.mail_id),
                )
            case c.DefineLabel() | c.RenameLabel():
                secret = self._secret(LabelSecret, command, command.sealed)
                if isinstance(secret, str):
                    return Prepared(missing=secret)
                name = name_print(self._prints, command.mailbox_id, secret.name)
                return Prepared(secret=secret, name=name)
            case c.DefineFilter():
                if command.deleted:
                    return NOTHING
                secret = self._secret(FilterSecret, command, command.sealed)
                if isinstance(secret, str):
                    return Prepared(missing=secret)
                # `_secret` has found it.
                key = self._mailbox_keys[command.mailbox_id]
                event_id = event_identity(command, e.FilterDefined)
                return Prepared(
                    query=query_of(secret.query),
                    sealed=seal(secret, key, event_id, self._random),
                )
            case _:
                return NOTHING

    def name(self, mailbox_id: str, event_id: str, sealed: bytes) -> bytes:
        """Return the fingerprint of the name sealed in a label's event.

        It is empty when the key is destroyed: the mailbox is erased and its names with it.
        """
        key = self._mailbox_keys.get(mailbox_id)
        if key is None:
            return b""
        secret = unseal(LabelSecret, sealed, key, event_id)
        return name_print(self._prints, mailbox_id, secret.name)

    def _secret(self, kind: type[S], command: c.Command, sealed: bytes) -> S | str:
        key = self._mailbox_keys.get(command.mailbox_id)
        if key is None:
            return "key-missing"
        try:
            return unseal(kind, sealed, key, command.command_id)
        except SealError as e:
            return f"seal-{e.reason}"

    def _open(
        self, mail_id: str, contents: Mapping[str, Content], keys: Mapping[str, bytes]
    ) -> _Opened:
        content, key = contents.get(mail_id), keys.get(mail_id)
        if content is None:
            return _Opened(missing="content-missing")
        if key is None:
            return _Opened(missing="key-missing")
        try:
            return _Opened(unseal(Digest, content.digest, key, mail_id))
        except SealError as e:
            return _Opened(missing=f"seal-{e.reason}")
        except CodecError:
            return _Opened(missing="codec")
