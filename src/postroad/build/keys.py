"""Loads the keys that sign mail from the folder of the settings, and finds all that is wrong with it at once."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from postroad.files import private_octets
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable, parse_domain

if TYPE_CHECKING:
    from postroad.dialogue import Message
    from postroad.sign import SigningKey, SigningPolicy

ENDING = ".pem"
NOTES = (".txt", ".zone")  # what people keep beside a key: its record
MOST = 64 * 1024  # octets of a key file; one of 16384 bits has 13 KB
_NO_KEY = "put a private key there that this user may read, or move it elsewhere"
LAYOUT = "a key is DOMAIN/SELECTOR.pem in that folder, such as example.com/2026a.pem"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key and its file."""

    path: Path
    key: SigningKey


class DkimSettings(Protocol):
    """The settings of `[dkim]`, whoever has read them."""

    @property
    def keys(self) -> Path | None: ...  # noqa: D102  # see config.DkimTable

    @property
    def subdomains(self) -> bool: ...  # noqa: D102  # see config.DkimTable

    @property
    def canonicalization(self) -> str: ...  # noqa: D102  # see config.DkimTable

    @property
    def valid(self) -> float: ...  # noqa: D102  # see config.DkimTable


def build_signing(dkim: DkimSettings) -> SigningPolicy | None:
    """How mail is signed; None: it is not.

    Raises:
        InputError: the folder or a key in it cannot be used; a line for each.

    """
    if dkim.keys is None:
        return None
    from postroad.sign import Form, SigningPolicy  # noqa: PLC0415  # only where mail is signed

    by_domain: dict[str, tuple[SigningKey, ...]] = {}
    for key in load_keys(dkim.keys):
        by_domain[key.domain] = (*by_domain.get(key.domain, ()), key)
    header, _, body = dkim.canonicalization.partition("/")
    return SigningPolicy(by_domain, dkim.subdomains, Form(header), Form(body), int(dkim.valid))


def load_keys(folder: Path) -> list[SigningKey]:
    """All keys of a folder, in order of domain and selector.

    Raises:
        InputError: the folder or a key cannot be used; a line for each.

    """
    return [each.key for each in key_files(folder)]


def key_files(folder: Path, domain: str = "") -> list[KeyFile]:
    """The keys of a folder with their files, in order of domain and selector; those of one domain, if one is given.

    Raises:
        InputError: the folder or a key of them cannot be used; a line for each.

    """
    keys: dict[str, KeyFile] = {}
    wrong: list[str] = []
    for found in _found(folder, domain):
        if isinstance(found, str):
            wrong.append(found)
        elif found.key.name in keys:
            wrong.append(f"{folder}: there are two keys for {found.key.name}; give each its own selector")
        else:
            keys[found.key.name] = found
    if wrong:
        raise InputError(*wrong, where="dkim.keys")
    return list(keys.values())


def load_key(path: Path, domain: str, selector: str) -> SigningKey:
    """A key from a file.

    Raises:
        InputError: it cannot be used.

    """
    found = _read(path, domain, selector)
    if isinstance(found, str):
        raise InputError(found)
    return found


def sign_message(message: Message, key: Path, selector: str, domain: str, now: float) -> Message:
    """A message signed with the key in a file; the usual selector is the file's name, the usual domain its author's.

    Raises:
        InputError: the key cannot be used, or the message cannot be signed with it.

    """
    from postroad.sign import SigningPolicy, Unsigned, author_of  # noqa: PLC0415  # only where mail is signed

    octets = message.content
    author = author_of(octets) if isinstance(octets, bytes) else Unsigned("it comes in pieces")
    # The key first: whoever named it by a slip has not written the message
    found = load_key(key, domain or (author if isinstance(author, str) else "example"), selector or key.stem)
    if isinstance(author, Unsigned) or not isinstance(octets, bytes):
        raise InputError(f"the message cannot be signed: {getattr(author, 'why', author)}")
    signing = SigningPolicy({found.domain: (found,)}, subdomains=True)
    signer = signing.begin(octets, now)
    if isinstance(signer, Unsigned):
        state = "" if found.state(now) == "active" else f", and {key} is {found.state(now)}"
        raise InputError(
            f"the message is from {author}, but the key belongs to {found.domain}{state}: it is not signed"
        )
    return replace(message, content=signing.signed(octets, now))


def _found(folder: Path, domain: str) -> Iterator[KeyFile | str]:
    """Each key, or what is wrong with it; of one domain only what is wrong there."""
    for path in _listed(folder):
        if isinstance(path, str):
            yield path
        elif domain and parse_domain(path.name) != domain:
            continue
        elif not path.is_dir():
            if path.suffix not in NOTES:
                yield f"{path} is not in the folder of a domain; {LAYOUT}"
        elif isinstance(problem := parse_domain(path.name), Unreadable):
            yield f"{path} is not named for a domain ({problem.why}); {LAYOUT}"
        else:
            yield from _of_domain(path)


def _of_domain(folder: Path) -> Iterator[KeyFile | str]:
    for path in _listed(folder):
        if isinstance(path, str):
            yield path
        elif path.suffix == ENDING:
            key = _read(path, folder.name, path.stem)
            yield key if isinstance(key, str) else KeyFile(path, key)
        elif path.suffix not in NOTES:
            yield f"{path} does not have the name of a key; rename it to SELECTOR.pem, or put it elsewhere"


def _listed(folder: Path) -> Sequence[Path | str]:
    """What is in a folder, but for hidden files; or why that cannot be known, or is not to be trusted."""
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            return [f"{folder} can be changed by every user of this machine; run: chmod o-w {folder}"]
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as problem:
        return [f"{folder} cannot be read ({problem.strerror}); give a folder that this user may read: {LAYOUT}"]


def _read(path: Path, domain: str, selector: str) -> SigningKey | str:
    from postroad.sign import read_key  # noqa: PLC0415  # only where there is a key

    octets = private_octets(path, MOST)
    if isinstance(octets, Unreadable):
        return f"{path} {octets.why_and(_NO_KEY)}"
    key = read_key(octets, domain, selector)
    return f"{path} cannot sign: {key.why}" if isinstance(key, Unreadable) else key
