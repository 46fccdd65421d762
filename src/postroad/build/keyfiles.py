"""Writes key files: new ones, and the lines that say when a key signs. A kill at any step leaves a set that works.

A file is written beside its place under a hidden name, which no reader looks at, and put there whole; what is there
already is never overwritten by a new key. Who writes holds a lock on the folder of the domain.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.build.keys import ENDING, MOST, KeyFile, key_files, load_key
from postroad.files import not_written, private_octets
from postroad.words.inputs import InputError, NotNowError
from postroad.words.names import Unreadable, parse_domain

if TYPE_CHECKING:
    from postroad.sign import KeyEdit, RotationPlan, SigningKey

USUAL_BITS = 2048
MOST_BITS = 4096  # a longer record does not fit into an answer over UDP
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made: its type, the bits of an RSA key, and its selector, "" for the next of this year."""

    kind: str
    bits: int = USUAL_BITS
    selector: str = ""


def make_key(folder: Path, domain: str, wanted: NewKey, now: float) -> KeyFile:
    """A new key, which waits.

    Raises:
        InputError: the folder, the selector or the size cannot be used, or the selector is taken.
        UnwrittenError: the disk is full.

    """
    if wanted.selector and ("/" in wanted.selector or isinstance(_name(wanted.selector, domain), Unreadable)):
        raise InputError(f"{wanted.selector!r} cannot be a selector; use letters, digits and hyphens, such as 2026a")
    home = _home(folder, domain)
    with _locked(home):
        return _made(home, domain, wanted, now)


def begin_rotation(
    folder: Path, domain: str, now: float, expiry_s: float, kinds: Collection[str], *, again: bool = False
) -> tuple[RotationPlan, list[KeyFile]]:
    """How far the rotation of a domain has come, after what one that was killed has left is done, and keys are made.

    Raises:
        InputError: there is no key that could be rotated, or a file cannot be used.
        UnwrittenError: the disk is full.
        NotNowError: another program rotates them now.

    """
    from postroad.sign import kind_of, plan_rotation  # noqa: PLC0415  # only where keys are rotated

    files = _rotatable(folder, domain, kinds, now)
    home = files[0].path.parent
    with _locked(home):
        files = _rotatable(folder, domain, kinds, now)
        plan = plan_rotation([each.key for each in files], now, expiry_s, kinds, again=again)
        _write(plan.left, files)
        for old in plan.making:
            _made(home, domain, NewKey(kind_of(old), max(old.bits, USUAL_BITS)), now)
        files = key_files(folder, domain)
    return plan_rotation([each.key for each in files], now, expiry_s, kinds), files


def switch_keys(folder: Path, domain: str, successors: Sequence[SigningKey], now: float) -> list[KeyFile]:
    """The successors take over: one moment is written as their beginning, and as the end of the keys they replace.

    Raises:
        InputError: a file cannot be used, or was changed meanwhile.
        UnwrittenError: the disk is full.
        NotNowError: another program rotates them now.

    """
    from postroad.sign import record_of, switch  # noqa: PLC0415  # as above

    with _locked(key_files(folder, domain)[0].path.parent):
        files = key_files(folder, domain)
        keys = {each.key.name: each.key for each in files}
        checked = {key.name: record_of(key) for key in successors}
        same = [keys[name] for name, text in checked.items() if name in keys and record_of(keys[name]) == text]
        if len(same) < len(checked) or any(key.not_before <= now for key in same):
            raise InputError(f"the keys of {domain} were changed meanwhile: nothing was written; run this again")
        _write(switch(list(keys.values()), same, now), files)
    return key_files(folder, domain)


def _rotatable(folder: Path, domain: str, kinds: Collection[str], now: float) -> list[KeyFile]:
    """The keys of a domain, of which one at least signs or will."""
    from postroad.sign import KeyState, kind_of  # noqa: PLC0415  # as above

    files = key_files(folder, domain)
    if any(kind_of(each.key) in kinds and each.key.state(now) is not KeyState.RETIRED for each in files):
        return files
    kind = f"{next(iter(kinds))} " if len(kinds) == 1 else ""
    more = f" --type {kind}".rstrip() if kind else ""
    raise InputError(
        f"{folder} has no {kind}key of {domain} to rotate; make one with: postroad dkim new {domain}{more}"
    )


def _made(home: Path, domain: str, wanted: NewKey, now: float) -> KeyFile:
    """A key, put where none is: also none that another program writes at this moment."""
    from postroad.sign import NOT_BEFORE, next_selector  # noqa: PLC0415  # as above

    name = wanted.selector or next_selector([path.stem for path in home.iterdir()], now)
    path = home / f"{name}{ENDING}"
    if path.exists():
        raise InputError(f"{path}: there is a key already, and it is kept; choose another selector")
    siblings = [each.path for each in key_files(home.parent, domain)]
    octets = f"{NOT_BEFORE}: never\n".encode() + _generated(wanted)
    try:
        draft = _draft(path, octets, siblings[-1] if siblings else None)
        try:
            os.link(draft, path)
        except FileExistsError:
            raise InputError(f"{path}: there is a key already, and it is kept; choose another selector") from None
        finally:
            draft.unlink()
        _settle(home)
    except OSError as problem_at_disk:
        raise not_written(path, problem_at_disk) from None
    return KeyFile(path, load_key(path, domain, name))


def _name(selector: str, domain: str) -> str | Unreadable:
    return parse_domain(f"{selector}._domainkey.{domain}")


def _generated(wanted: NewKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  # heavy
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  # as above
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private = Ed25519PrivateKey.generate() if wanted.kind == "ed25519" else generate_private_key(65537, wanted.bits)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(edits: Sequence[KeyEdit], files: Sequence[KeyFile]) -> None:
    """Each file whole, one after the other, in this order: between two of them a kill does no harm."""
    from postroad.sign import with_lines  # noqa: PLC0415  # as above

    paths = {each.key.name: each.path for each in files}
    for edit in edits:
        path = paths[edit.key.name]
        octets = private_octets(path, MOST)
        if isinstance(octets, Unreadable):
            raise InputError(f"{path} {octets.why_and('run this again as a user who may read it')}")
        try:
            draft = _draft(path, with_lines(octets, edit.lines), path)
            draft.replace(path)
            _settle(path.parent)
        except OSError as problem:
            raise not_written(path, problem) from None


def _draft(path: Path, octets: bytes, like: Path | None) -> Path:
    """A file beside its place, on the disk; it belongs to whom one like it belongs, so that the relay can read it."""
    draft = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        draft.unlink()  # of one that was killed
    model = (like or path.parent).stat()
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    try:
        with os.fdopen(fd, "wb") as file:
            own = os.fstat(fd)
            if (own.st_uid, own.st_gid) != (model.st_uid, model.st_gid):
                _give(fd, model, path)
            os.fchmod(fd, stat.S_IMODE(model.st_mode) if like else PRIVATE)
            file.write(octets)
            file.flush()
            os.fsync(fd)
    except BaseException:
        draft.unlink()
        raise
    return draft


def _give(fd: int, model: os.stat_result, path: Path) -> None:
    try:
        os.fchown(fd, model.st_uid, model.st_gid)
    except PermissionError:
        whose = f"user {model.st_uid}, group {model.st_gid}"
        raise InputError(f"{path}: it would not belong to {whose}, as its folder and other keys do; run this as that "
                         "user, or as root") from None  # fmt: skip


def _settle(folder: Path) -> None:
    """The names in a folder are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _home(folder: Path, domain: str) -> Path:
    """The folder of a domain; made, if it is not there, for whom the folder of all keys belongs to."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and parse_domain(path.name) == domain:
                return path
    home = folder / domain
    try:
        model = folder.stat()
        home.mkdir(mode=stat.S_IMODE(model.st_mode) & ~stat.S_IWOTH)
        if os.geteuid() == 0:
            os.chown(home, model.st_uid, model.st_gid)
    except FileNotFoundError:
        raise InputError(f"there is no folder {folder}; make it for the user of the relay, such as: "
                         f"install -d -o postroad -m 700 {folder}") from None  # fmt: skip
    except OSError as problem:
        raise not_written(home, problem) from None
    return home


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one program at a time writes there; the lock ends with its holder, however that ends."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        raise not_written(folder, problem) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise NotNowError(f"another program is writing keys in {folder} now; run this again") from None
    finally:
        os.close(fd)
