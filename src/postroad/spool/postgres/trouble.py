"""Turns the errors of PostgreSQL, of its driver and of the network into a SpoolError that says what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import asyncpg  # type: ignore[import-untyped]  # it has no types

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.rows import Damaged

_LOST = ("08", "57P")  # connection_exception; the server ends, crashes, starts: nothing more comes of this connection
_AGAIN = ("40001", "40P01", "55P03")  # could not serialize, deadlock, a lock not had

# The longest beginning of an SQLSTATE counts: https://www.postgresql.org/docs/current/errcodes-appendix.html
_KINDS = {
    "08": Trouble.GONE,
    "57P": Trouble.GONE,
    "3F000": Trouble.GONE,
    "42P01": Trouble.GONE,
    "53": Trouble.FAILING,
    "53100": Trouble.FULL,
    "53300": Trouble.FAILING,
    "25006": Trouble.READ_ONLY,
    "28": Trouble.READ_ONLY,
    "42501": Trouble.READ_ONLY,
    "3D000": Trouble.MISSING,
    "40": Trouble.LOCKED,
    "55P03": Trouble.LOCKED,
    "57014": Trouble.LOCKED,
    "0A": Trouble.FAILING,
    "54": Trouble.FAILING,
    "55": Trouble.FAILING,
    "58": Trouble.FAILING,
    "XX": Trouble.CORRUPT,
    "42": Trouble.CORRUPT,
}
_SAYING_MORE = {  # than its kind does
    "28": "the server of the spool in {where} refuses the user: correct the name, the password (~/.pgpass, with mode "
    "0600), or pg_hba.conf of the server",
    "42501": "the spool in {where} cannot be written: name a user who may create and change the schema postroad",
    "53300": "the server of the spool in {where} has no connection left: a relay needs up to four, so raise "
    "max_connections, or the limit of the database or the user",
    "57014": "a statement for the spool in {where} was cancelled: set statement_timeout = 0 for its user (ALTER ROLE)",
}
_SENTENCES = {
    Trouble.FULL: "no space left for the spool in {where}: free space on the disk of the database",
    Trouble.READ_ONLY: "the spool in {where} cannot be written: name the primary server",
    Trouble.LOCKED: "the spool in {where} is locked: end the transaction that holds the lock (pg_stat_activity shows "
    "it)",
    Trouble.CORRUPT: "the spool in {where} is damaged, or was changed by another program: stop the relays, and restore "
    "the database",
    Trouble.FAILING: "the server of the spool in {where} fails: see its log",
    Trouble.GONE: "the spool in {where} cannot be reached: see that the server runs, and that this machine may connect",
    Trouble.MISSING: "there is no database for the spool in {where}: create it (createdb)",
}

_SERVERS = "any, primary, standby, read-write, read-only or prefer-standby"


class WrongUrl(Exception):  # noqa: N818  # what is wrong, not what failed here
    """The error that the URL names nothing that can be connected to, whatever the server does."""


class Unanswered(Exception):  # noqa: N818  # what happened, not what failed here
    """The error that the server did not answer in time."""


class Unconfirmed(Unanswered):
    """The error that the server did not wait until a COMMIT was on its standby, because it was told not to."""


def wrong_url(problem: Exception) -> WrongUrl:
    """What is wrong with a URL. Most complaints of the driver quote it, with its password."""
    if not isinstance(problem, (asyncpg.PostgresError, asyncpg.InterfaceError)):
        return WrongUrl("it is none of PostgreSQL; a password may have to be percent-encoded")
    said = re.sub(
        "one of <.*>, got", "any, primary, standby, read-write, read-only or prefer-standby, not", _said(problem)
    )
    return WrongUrl(said)


def is_lost(problem: BaseException) -> bool:
    """Whether the connection is gone, so that another one may do better."""
    if isinstance(problem, asyncpg.PostgresError):
        return (problem.sqlstate or "").startswith(_LOST)
    is_unfit = isinstance(problem, asyncpg.DataError)
    is_cut_off = isinstance(problem, (OSError, TimeoutError, Unanswered, asyncpg.InterfaceError))
    is_out_of_step = isinstance(problem, asyncpg.InternalClientError)  # with a pooler that hung up on a command
    return is_out_of_step or (is_cut_off and not is_unfit)


def is_worth_another_try(problem: BaseException) -> bool:
    """Whether the same transaction may succeed where this one met another."""
    is_outdated = isinstance(
        problem, (asyncpg.exceptions.InvalidCachedStatementError, asyncpg.exceptions.OutdatedSchemaCacheError)
    )  # another node has migrated
    return is_outdated or (isinstance(problem, asyncpg.PostgresError) and (problem.sqlstate or "") in _AGAIN)


def trouble_with(where: str, problem: BaseException) -> SpoolError | None:
    """The error for callers; None if it is no trouble with the database but a fault in the program."""
    if isinstance(problem, SpoolError):
        return problem
    if isinstance(problem, WrongUrl):
        return SpoolError(Trouble.MISSING, f"the URL of the spool, {where}, is wrong: correct it ({problem})")
    state = _state(problem)
    kind = _KINDS.get(state) or _kind(problem)
    if kind is None:
        return None
    sentence = _SAYING_MORE.get(state, _SENTENCES[kind])
    return SpoolError(kind, f"{sentence.format(where=where)} ({_said(problem)})")


@contextlib.contextmanager
def troubles(where: str) -> Iterator[None]:
    """What the database complains of inside becomes a SpoolError."""
    try:
        yield
    except Exception as problem:
        trouble = trouble_with(where, problem)
        if trouble is None or trouble is problem:
            raise
        raise trouble from problem


def closed(where: str) -> SpoolError:
    """What a call after the end gets."""
    return SpoolError(Trouble.CLOSED, f"the spool in {where} is closed")


def _state(problem: BaseException) -> str:
    """The beginning of its SQLSTATE that is in the table."""
    state = (isinstance(problem, asyncpg.PostgresError) and problem.sqlstate) or ""
    return next((state[:n] for n in (5, 3, 2) if state[:n] in _KINDS), "")


def _kind(problem: BaseException) -> Trouble | None:
    """Of what has none."""
    if isinstance(problem, Damaged):
        return Trouble.CORRUPT
    return Trouble.GONE if is_lost(problem) else None


def _said(problem: BaseException) -> str:
    """In one line: a message of the server, or what the system calls it."""
    text = str(problem)
    if isinstance(problem, asyncpg.exceptions.TargetServerAttributeNotMatched):
        return "none of its servers is as target_session_attrs says"
    if isinstance(problem, OSError) and problem.strerror:
        text = f"{problem.strerror}: {problem.filename}" if problem.filename else problem.strerror
    return (text or type(problem).__name__).partition("\n")[0]
