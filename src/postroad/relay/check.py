"""Whether what the settings name is there and can be used: files, folders, addresses. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from postroad.config import Config
from postroad.net import NetError, bind
from postroad.relay.settings import faults_of


def problems(config: Config) -> Iterator[str]:
    """What would keep a relay with these settings from working: one sentence each, with how to fix it."""
    yield from faults_of(config)
    yield from _of_rules(config)
    yield from _of_folder(config.spool.path) if config.spool.url is None else _of_database()
    for number, port in enumerate(config.listen, 1):
        try:
            bind(port.address, 0).close()
        except NetError as problem:
            yield f"listen[{number}].address: {problem.why}; use an address of this machine"


def _of_rules(config: Config) -> Iterator[str]:
    """`postroad check` refuses settings that name a rule which does not exist: an accepted finding would count."""
    named = {f"check.ignore[{number}]": rule for number, rule in enumerate(config.check.ignore, 1)}
    named |= {f"check.accept[{number}].rule": each.rule for number, each in enumerate(config.check.accept, 1)}
    if not named:
        return
    from difflib import get_close_matches  # noqa: PLC0415  # as below

    from postroad.rules import RULES  # noqa: PLC0415  # all rules take 60 ms to load

    for key, rule in named.items():
        if rule not in RULES:
            near = get_close_matches(rule, RULES, 1)
            yield f"{key}: there is no rule {rule!r}; {f'did you mean {near[0]}?' if near else 'see: postroad rules'}"


def _of_database() -> Iterator[str]:
    """Whether it is there is found out at the start: to look now would need its password."""
    if find_spec("asyncpg") is None:
        yield "spool.url: asyncpg is not installed; run pip install 'postroad[postgres]'"


def _of_folder(path: Path) -> Iterator[str]:
    """The relay makes the folder, so the nearest one above that is there must let it."""
    try:
        there = next(folder for folder in (path, *path.absolute().parents) if _is_there(folder))
    except OSError as problem:
        yield f"spool.path: {path} cannot be a folder: {problem.strerror}; choose another"
        return
    if not there.is_dir():
        yield f"spool.path: {there} is not a folder; choose another"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"spool.path: {there} cannot be written by this user; change its owner, or choose another folder"


def _is_there(folder: Path) -> bool:
    """Whether something has this path, if only a link to nowhere; OSError: there can be nothing."""
    try:
        folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    folder.stat()
    return True
