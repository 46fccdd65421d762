"""Mail for the names of this machine: it has no mailboxes, so aliases say which addresses elsewhere have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from postroad.words.inputs import quoted
from postroad.words.mail import Envelope, Mailbox, Recipient, parse_mailbox
from postroad.words.names import Unreadable
from postroad.words.reply import Reply

EVERYONE = "*"
POSTMASTER = "postmaster"
LOCALHOST = frozenset({"localhost", "localhost.localdomain"})
MOST_STEPS = 50  # from alias to alias; sendmail stops after 10, Postfix after 1000

NO_ALIAS = Reply(550, ("5.1.1 no such user here: there are no local mailboxes, and [aliases] has no such name",))
NO_POSTMASTER = Reply(550, ("5.1.1 postmaster has no address here: set one in [aliases]",))

_ITEM = re.compile(r'((?:[^",]|"(?:[^"\\]|\\.)*")+)(?:,|\Z)')
_NO_ADDRESSES = {
    "|": "programs are not supported; write an address",
    "/": "files are not supported; write an address",
    ":include:": "other files are not supported; write their addresses here, separated by commas",
}


@dataclass(frozen=True, slots=True)
class Alias:
    """A local name, the addresses that get its mail, and where it is written.

    A target without a domain is another alias.
    """

    targets: tuple[Mailbox, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Aliases:
    """The aliases of this machine: `names` are the domains that are this machine, `to` has addresses elsewhere.

    A mailbox without a domain is local too. Local parts are compared without regard to case, for `Root` is root.
    """

    names: frozenset[str] = frozenset()
    to: Mapping[str, tuple[Mailbox, ...]] = field(default_factory=dict)

    def is_local(self, mailbox: Mailbox) -> bool:
        """Whether a mailbox would have to be on this machine."""
        return mailbox.domain == "" or mailbox.domain in self.names

    def of(self, local: str) -> tuple[Mailbox, ...]:
        """The addresses that a local part stands for; none if nobody has its mail."""
        return self.to.get(_key(local)) or self.to.get(EVERYONE, ())

    @property
    def missing(self) -> tuple[str, ...]:
        """Whose mail every machine has, and nobody gets here: cron writes to root, other people to postmaster."""
        return tuple(name for name in ("root", POSTMASTER) if not self.of(name))

    def refusal(self, mailbox: Mailbox, closed: Reply | None) -> Reply | None:
        """The reply to RCPT if it is no; `closed` is the one to whoever may not relay.

        RFC 5321 section 4.5.1 wants postmaster taken from everyone. All else is for those who may relay: an alias of
        `*` would take whatever strangers guess.
        """
        if not self.is_local(mailbox):
            return closed
        is_postmaster = _key(mailbox.local) == POSTMASTER
        if closed and not is_postmaster:
            return closed
        if self.of(mailbox.local):
            return None
        return NO_POSTMASTER if is_postmaster else NO_ALIAS

    def expanded(self, envelope: Envelope) -> Envelope:
        """The envelope with the addresses that local recipients stand for; then each address is there once."""
        if not any(self.is_local(each.mailbox) for each in envelope.recipients):
            return envelope
        found: dict[Mailbox, Recipient] = {}
        for to in envelope.recipients:
            for each in self._expanded(to):
                found.setdefault(each.mailbox, each)
        needs_utf8 = any(mailbox.needs_smtputf8 for mailbox in found)
        return replace(envelope, recipients=tuple(found.values()), smtputf8=envelope.smtputf8 or needs_utf8)

    def _expanded(self, to: Recipient) -> list[Recipient]:
        targets = self.of(to.mailbox.local) if self.is_local(to.mailbox) else ()
        # RFC 3461 section 5.2.7.2: an alias passes the wishes on; a relay may add the original recipient (5.2.1)
        original = str(to.mailbox) if to.mailbox.domain else to.mailbox.local
        orcpt = to.orcpt or (f"rfc822;{original}" if original.isascii() else None)
        return [Recipient(target, to.notify, orcpt) for target in targets] or [to]


def parse_target(text: str) -> Mailbox:
    """What an alias leads to: an address, or the name of another alias, which gets no domain.

    Raises:
        ValueError: it is neither; the text says what to write.

    """
    bare = text.strip()
    for mark, why in _NO_ADDRESSES.items():
        if bare.lstrip('"').lower().startswith(mark):
            raise ValueError(f"{quoted(bare)}: {why}")
    # A name alone is read with a domain that stands in for none
    read = parse_mailbox(bare if "@" in bare else f"{bare}@none")
    if isinstance(read, Unreadable):
        what = quoted(bare) if bare else "nothing"
        why = f"{what} is neither an address nor an alias ({read.why}); write user@example.com"
        raise ValueError(why)  # noqa: TRY004  # wrong text, or type
    return read if "@" in bare else Mailbox(read.local, "")


def parse_aliases(text: str, file: str) -> dict[str, Alias]:
    """Read a file in the form of aliases(5), as far as it names addresses and other aliases.

    Raises:
        ValueError: something else stands there; the text names the line.

    """
    aliases: dict[str, Alias] = {}
    for number, line in _logical_lines(text):
        where = f"{file} line {number}"
        name, colon, rest = line.partition(":")
        key = _key(name)
        if not colon or not key or "@" in key:
            raise ValueError(f"{where}: write `name: address, address`, the name without a domain")
        if rest.count('"') % 2:
            raise ValueError(f"{where}: a quote is not closed")
        if key in aliases:
            raise ValueError(f"{where}: {key} stands at {aliases[key].where} already; remove one")
        try:
            aliases[key] = Alias(tuple(parse_target(item) for item in _items(rest)), where)
        except ValueError as problem:
            raise ValueError(f"{where}: {problem}") from None
    return aliases


def resolve_aliases(table: Mapping[str, Alias], names: Iterable[str]) -> Aliases:
    """The aliases with their addresses; `names` are the domains that are this machine.

    Raises:
        ValueError: an alias leads to itself, or to a name that has none.

    """
    local = Aliases(frozenset(names))
    found: dict[str, tuple[Mailbox, ...]] = {}
    for key in table:
        _resolve(key, table, local, found, ())
    return Aliases(local.names, found)


def _resolve(
    key: str, table: Mapping[str, Alias], local: Aliases, found: dict[str, tuple[Mailbox, ...]], path: tuple[str, ...]
) -> tuple[Mailbox, ...]:
    """The addresses of one alias, and on the way those of all it leads to."""
    if key in found:
        return found[key]
    way = " > ".join((*path, key))
    if key in path or len(path) >= MOST_STEPS:
        why = "leads back to itself" if key in path else f"leads through more than {MOST_STEPS} others"
        raise ValueError(f"{table[path[0]].where}: the alias {why} ({way}); name an address on another machine")
    boxes: list[Mailbox] = []
    for target in table[key].targets:
        if not local.is_local(target):
            boxes.append(target)
            continue
        onward = next((each for each in (_key(target.local), EVERYONE) if each in table), None)
        if onward is None:
            why = "is not an alias, and there are no mailboxes here"
            raise ValueError(f"{table[key].where}: {target.local} {why}; write an address, such as user@example.com")
        boxes += _resolve(onward, table, local, found, (*path, key))
    found[key] = tuple(dict.fromkeys(boxes))
    return found[key]


def _key(local: str) -> str:
    return local.strip().strip('"').lower()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its number; one that begins with a blank goes on with the line before it."""
    begun, number = "", 0
    for place, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and begun:
            begun += " " + line.strip()
            continue
        if begun:
            yield number, begun
        begun, number = line.strip(), place
    if begun:
        yield number, begun


def _items(text: str) -> list[str]:
    """What stands between commas; a comma in quotes is none."""
    items = [found[1].strip() for found in _ITEM.finditer(text)]
    return [item for item in items if item] or [text]
