"""`postroad sendmail`: the conventional sendmail command, for cron, PHP, git and other programs that use it.

Its command line and exit statuses are those of sendmail, not of the other commands: programs rely on them.

Stops: `arguments` (the command line), `draft` (the message), `submitting` (a user's messages, made whole), `handing`
(over to the relay), `dialogue` (SMTP on standard input), `waiting` (the queue, shown and retried), `command` (as the
help has it). Many a program starts it for each message, so what is heavy is imported where it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from postroad.cli.lines import remark, say

if TYPE_CHECKING:
    from postroad.cli.sendmail.arguments import Arguments
    from postroad.cli.sendmail.draft import Draft, Origin
    from postroad.cli.sendmail.handing import Deposited
    from postroad.cli.sendmail.submitting import LocalUser
    from postroad.config import Brief
    from postroad.words.mail import Envelope, Mailbox

# sysexits.h
OK, USAGE, DATA, NO_USER, UNAVAILABLE, TEMPORARY, NO_PERMISSION, CONFIG = 0, 64, 65, 67, 69, 75, 77, 78

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"sendmail": (), "postroad-sendmail": (), "mailq": ("-bp",), "newaliases": ("-bi",)}
)
"""What the program is called by links to it, and what that says."""


def spelled_out(argv: Sequence[str]) -> list[str]:
    """A command line under one of those names, as `postroad sendmail` has it."""
    name = argv[0].rpartition("/")[2]
    return ["postroad", "sendmail", *NAMES[name], *argv[1:]] if name in NAMES else list(argv)


def called_as_sendmail(argv: Sequence[str]) -> Sequence[str] | None:
    """The words behind `sendmail` or `postroad sendmail`, as they are; None for other commands, and for --help."""
    whole = spelled_out(argv)
    return whole[2:] if whole[1:2] == ["sendmail"] and "--help" not in whole else None


def run(words: Sequence[str]) -> int:
    """Do what a command line says, with the message on standard input; the exit status."""
    from postroad.cli.door import Unwritable
    from postroad.cli.sendmail.arguments import Misuse, parse
    from postroad.config import load_brief
    from postroad.net import open_more
    from postroad.spool import SpoolError
    from postroad.words.inputs import InputError

    if problem := open_more():
        return _say(problem, TEMPORARY)
    try:
        arguments = parse(words)
        for remark in arguments.remarks:
            _say(remark)
        work = _work(arguments, load_brief(arguments.config))
    except Misuse as problem:
        return _say(str(problem), USAGE)
    except InputError as problem:
        return _say(str(problem), CONFIG)
    try:
        return work()
    except InputError as problem:
        return _say(str(problem), DATA)
    except SpoolError as trouble:
        return _say(trouble.why, TEMPORARY)
    except Unwritable:
        raise
    except OSError as problem:
        return _say(f"standard input cannot be read: {problem.strerror}", TEMPORARY)


def _work(arguments: Arguments, config: Brief) -> Callable[[], int]:
    """What is to be done, with settings that are in order.

    Raises:
        InputError: they are not.

    """
    from postroad.cli.sendmail.arguments import Purpose

    if arguments.purpose is Purpose.HOSTS:
        return lambda: OK
    if arguments.purpose in (Purpose.QUEUE, Purpose.FLUSH):
        from postroad.cli.sendmail import waiting

        is_flush = arguments.purpose is Purpose.FLUSH
        return lambda: waiting.flush(config, arguments.flushed) if is_flush else waiting.show(config)
    from postroad.cli.sendmail.submitting import LocalUser

    user = LocalUser(config, arguments.full_name)
    if arguments.purpose is Purpose.ALIASES:
        return _tell_of_aliases
    if arguments.purpose is Purpose.SMTP:
        from postroad.cli.sendmail.dialogue import converse

        return lambda: converse(user)
    return lambda: _submit(arguments, user)


def _tell_of_aliases() -> int:
    with suppress(OSError):
        say("there is nothing to rebuild: aliases are read anew for each message, and by the relay when it reloads")
    return OK


def _submit(arguments: Arguments, user: LocalUser) -> int:
    draft, envelope, origin = _read(arguments, user)
    local = [to.mailbox for to in envelope.recipients if user.aliases.refusal(to.mailbox, None)]
    for each in local:
        _say(f"{each}: this machine has no mailboxes, and {each.local} has no alias; {_where_aliases(arguments)}")
    if local:
        return NO_USER
    done = user.hand(draft, envelope, origin)
    if done.refused:
        return _tell_refused(done)
    if arguments.verbose:
        with suppress(OSError):  # it is kept, whoever hears that: to say another thing makes the caller send it again
            say(f"queued as {origin.id}")
    return OK


def _tell_refused(done: Deposited) -> int:
    for mailbox, outcome in done.refused:
        _say(f"{mailbox}: {outcome.text}")
    _say(f"the message was handed to the relay's port because of the spool: {done.instead}")
    return UNAVAILABLE if done.is_for_good else TEMPORARY


def _where_aliases(arguments: Arguments) -> str:
    from postroad.config import USUAL_FILE, find

    return f"set an address for it in [aliases] of {arguments.config or find() or USUAL_FILE}"


def _read(arguments: Arguments, user: LocalUser) -> tuple[Draft, Envelope, Origin]:
    """The message on standard input, and its envelope.

    Raises:
        InputError: it is too large, an address cannot be read, or there is no recipient.

    """
    from postroad.cli.sendmail.draft import bounded, parse, read
    from postroad.words.inputs import InputError
    from postroad.words.mail import Envelope, Recipient

    most = user.config.message_size
    octets = read(bounded(sys.stdin.buffer, most), dot_ends=arguments.dot_ends)
    if len(octets) > most:
        raise InputError(f"the message is larger than limits.message_size, {most} octets")
    draft, origin = parse(octets), user.origin()
    boxes = _recipients(arguments, draft, user.hostname)
    envelope = Envelope(
        _sender(arguments, origin),
        tuple(Recipient(box, arguments.notify) for box in boxes),
        eight_bit=arguments.eight_bit,
        ret=arguments.ret,
        envid=arguments.envid,
    )
    return draft, envelope, origin


def _recipients(arguments: Arguments, draft: Draft, hostname: str) -> list[Mailbox]:
    from postroad.cli.sendmail.draft import addresses, qualified
    from postroad.words.inputs import InputError, readable
    from postroad.words.mail import parse_mailbox

    named = addresses(arguments.recipients) + (draft.recipients() if arguments.from_header else [])
    boxes = dict.fromkeys(readable(parse_mailbox(each)) for each in qualified(named, hostname))
    if not boxes:
        where = "To, Cc or Bcc" if arguments.from_header else "the command line; -t takes them from the message"
        raise InputError(f"there is no recipient in {where}")
    return list(boxes)


def _sender(arguments: Arguments, origin: Origin) -> Mailbox | None:
    from postroad.cli.sendmail.draft import addresses, qualified
    from postroad.words.inputs import readable
    from postroad.words.mail import parse_mailbox

    sender = origin.user if arguments.sender is None else "".join(addresses([arguments.sender])[:1])
    return readable(parse_mailbox(qualified([sender], origin.hostname)[0])) if sender else None


def _say(text: str, status: int = OK) -> int:
    remark(text, "sendmail")
    return status
