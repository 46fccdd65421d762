"""`postroad sendmail`: the conventional sendmail command, for cron, PHP, git and other programs that use it.

Its command line and exit statuses are those of sendmail, not of the other commands: programs rely on them.

Stops: `arguments` (the command line), `stdin` (what is read), `handing` (over to the relay), `dialogue` (SMTP on
standard input), `waiting` (the queue, shown and retried), `command` (as the help has it). Many a program starts it for
each message, so what is heavy is imported where it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from postroad.cli.lines import remark, say

if TYPE_CHECKING:
    from postroad.build import SubmissionRules
    from postroad.cli.sendmail.arguments import Arguments
    from postroad.config import Brief
    from postroad.sign import SigningPolicy

# sysexits.h
OK, USAGE, DATA, NO_USER, UNAVAILABLE, TEMPORARY, NO_PERMISSION, CONFIG = 0, 64, 65, 67, 69, 75, 77, 78

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"sendmail": (), "postroad-sendmail": (), "mailq": ("-bp",), "newaliases": ("-bi",)}
)
"""What the program is called by links to it, and what that says."""


def spelled_out(argv: Sequence[str]) -> list[str]:
    """A command line under one of those names, as `postroad sendmail` has it: `sendmail.postroad` is one as well.

    So alternatives and diversions call the links that they choose from.
    """
    name = argv[0].rpartition("/")[2].partition(".")[0]
    return ["postroad", "sendmail", *NAMES[name], *argv[1:]] if name in NAMES else list(argv)


def called_as_sendmail(argv: Sequence[str]) -> Sequence[str] | None:
    """The words behind `sendmail` or `postroad sendmail`, as they are; None for other commands, and for --help."""
    whole = spelled_out(argv)
    return whole[2:] if whole[1:2] == ["sendmail"] and "--help" not in whole else None


def run(words: Sequence[str]) -> int:
    """Do what a command line says, with the message on standard input; the exit status."""
    from postroad.build import NoAliasError, SenderError
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
        kinds = {NoAliasError: NO_USER, SenderError: NO_PERMISSION}
        return [_say(line, kinds.get(type(problem), DATA)) for line in problem.lines][-1]
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
    from postroad.build import SubmissionRules
    from postroad.cli.sendmail.arguments import Purpose
    from postroad.config import aliases_of

    if arguments.purpose is Purpose.HOSTS:
        return lambda: OK
    if arguments.purpose in (Purpose.QUEUE, Purpose.FLUSH):
        from postroad.cli.sendmail import waiting

        is_flush = arguments.purpose is Purpose.FLUSH
        return lambda: waiting.flush(config, arguments.flushed) if is_flush else waiting.show(config)
    where = _where_aliases(arguments)
    rules = SubmissionRules(aliases_of(config), _signing(config), where, config.rewriting, config.hold)
    if arguments.purpose is Purpose.ALIASES:
        return _tell_of_aliases
    if arguments.purpose is Purpose.SMTP:
        from postroad.cli.sendmail.dialogue import converse

        return lambda: converse(config, rules, _full_name(arguments))
    return lambda: _submit(arguments, config, rules)


def _tell_of_aliases() -> int:
    with suppress(OSError):
        say("there is nothing to rebuild: aliases are read anew for each message, and by the relay when it reloads")
    return OK


def _full_name(arguments: Arguments) -> str:
    return arguments.full_name or os.environ.get("NAME", "")


def _signing(config: Brief) -> SigningPolicy | None:
    """How mail is signed that goes into the spool. Who may not write there has it signed at the relay's port."""
    if config.dkim.keys is None or isinstance(config.spool, str) or not os.access(config.spool, os.W_OK):
        return None
    from postroad.build import build_signing

    return build_signing(config.dkim)


def _submit(arguments: Arguments, config: Brief, rules: SubmissionRules) -> int:
    from postroad.build import Submission, mail_of, origin_of
    from postroad.cli.sendmail.handing import hand_over
    from postroad.cli.sendmail.stdin import bounded, read
    from postroad.config import hostname_of
    from postroad.words.inputs import InputError

    hostname = hostname_of(config)
    octets = read(bounded(sys.stdin.buffer, config.message_size), dot_ends=arguments.dot_ends)
    if len(octets) > config.message_size:
        raise InputError(f"the message is larger than limits.message_size, {config.message_size} octets")
    if not (arguments.recipients or arguments.from_header):
        raise InputError("there is no recipient in the command line; -t takes them from the message")
    of = arguments
    wishes = (of.notify, of.ret, of.envid, of.eight_bit, of.at)
    submission = Submission(octets, of.recipients, of.from_header, of.sender, *wishes)
    origin = origin_of(hostname, _full_name(arguments))
    mail, content = mail_of(submission, origin, rules, "sendmail")
    done = hand_over(mail, content, config)
    for mailbox, outcome in done.refused:
        _say(f"{mailbox}: {outcome.text}")
    if done.refused:
        _say(f"the message was handed to the relay's port because of the spool: {done.instead}")
        return UNAVAILABLE if done.is_for_good else TEMPORARY
    if arguments.verbose:
        with suppress(OSError):  # it is kept, whoever hears that: to say another thing makes the caller send it again
            say(f"queued as {done.id}")
    return OK


def _where_aliases(arguments: Arguments) -> str:
    from postroad.config import USUAL_FILE, find

    return f"set an address for it in [aliases] of {arguments.config or find() or USUAL_FILE}"


def _say(text: str, status: int = OK) -> int:
    remark(text, "sendmail")
    return status
