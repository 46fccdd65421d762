"""`postroad sendmail`: the conventional sendmail command, for cron, PHP, git and all that know no other way.

Its command line and exit statuses are those of sendmail, not of the other commands: programs rely on them.

Stops: `arguments` (the command line), `draft` (the message), `people` (whom its header names), `deposit` (into the
spool).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import screen

if TYPE_CHECKING:
    from postroad.cli.sendmail.arguments import Arguments
    from postroad.cli.sendmail.draft import Origin
    from postroad.config import Config
    from postroad.routing import Aliases
    from postroad.spool import Mail

# sysexits.h
OK, USAGE, DATA, NO_USER, UNAVAILABLE, TEMPORARY, CONFIG = 0, 64, 65, 67, 69, 75, 78


def sendmail(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[OPTION|RECIPIENT]...")] = None,
) -> None:
    """Hand a message from standard input to the relay, as the sendmail of other mail systems does.

    -t takes recipients from To, Cc and Bcc, beside those named; Bcc is taken out. -i or -oi: a line with a single dot
    does not end the message. -f SENDER, -F NAME, -N NOTIFY, -R FULL|HDRS, -V ENVID, -B 8BITMIME, -v; -C FILE names the
    settings. Other options of sendmail are passed over; -bs, -bd, -bp and -q are not served.

    It goes into the spool of the settings; a user who may not write there hands it to the first loopback port of the
    relay. What the message lacks of From, Date and Message-ID is added. A name without a domain is a user of this
    machine: [aliases] in the settings says which address has their mail.

    Exit status, as sysexits.h has it: 0 kept, 64 wrong usage, 65 an address or the message cannot be used, 67 a user
    has no alias, 69 refused, 75 not now: try again, 78 the settings are wrong.
    """
    raise typer.Exit(run(arguments or ()))


def called_as_sendmail(argv: Sequence[str]) -> Sequence[str] | None:
    """The words behind `sendmail` or `postroad sendmail`, as they are; None for other commands, and for --help."""
    if argv[0].rpartition("/")[2] == "sendmail":
        words = argv[1:]
    elif list(argv[1:2]) == ["sendmail"]:
        words = argv[2:]
    else:
        return None
    return None if "--help" in words else words


def run(words: Sequence[str]) -> int:
    """Do what a command line says, with the message on standard input; the exit status."""
    from postroad.cli.sendmail.arguments import Misuse, parse
    from postroad.config import load
    from postroad.net import open_more
    from postroad.relay.settings import aliases_of
    from postroad.spool import SpoolError
    from postroad.words.inputs import InputError

    if problem := open_more():
        return _say(problem, TEMPORARY)
    try:
        arguments = parse(words)
        for remark in arguments.remarks:
            _say(remark)
        config = load(arguments.config)
        aliases = aliases_of(config)
    except Misuse as problem:
        return _say(str(problem), USAGE)
    except InputError as problem:
        return _say(str(problem), CONFIG)
    if arguments.nothing:
        return OK
    try:
        return _submit(arguments, config, aliases)
    except InputError as problem:
        return _say(str(problem), DATA)
    except SpoolError as trouble:
        return _say(trouble.why, TEMPORARY)
    except OSError as problem:
        return _say(f"standard input cannot be read: {problem.strerror}", TEMPORARY)


def _submit(arguments: Arguments, config: Config, aliases: Aliases) -> int:
    import asyncio

    from postroad.cli.sendmail.deposit import deposit
    from postroad.cli.sendmail.draft import bounded, read
    from postroad.relay.settings import hostname_of
    from postroad.words.inputs import InputError

    hostname = hostname_of(config)
    octets = read(bounded(sys.stdin.buffer, config.limits.message_size), dot_ends=arguments.dot_ends)
    if len(octets) > config.limits.message_size:
        raise InputError(f"the message has more than {config.limits.message_size} octets, which is limits.message_size")
    mail, content = _made(arguments, octets, hostname)
    unknown = [to.mailbox for to in mail.envelope.recipients if aliases.refusal(to.mailbox, None)]
    for each in unknown:
        _say(f"{each}: this machine has no mailboxes, and {each.local} has no alias; {_where_aliases(arguments)}")
    if unknown:
        return NO_USER
    mail = replace(mail, envelope=aliases.expanded(mail.envelope))
    done = asyncio.run(deposit(mail, content, config, hostname))
    for mailbox, outcome in done.refused:
        _say(f"{mailbox}: {outcome.text}")
    if done.refused:
        _say(f"the port of the relay was asked because of the spool: {done.instead}")
        return UNAVAILABLE if done.is_for_good else TEMPORARY
    if arguments.verbose:
        with suppress(OSError):  # it is kept, whoever hears that: to say another thing makes the caller send it again
            screen.say(f"kept as {mail.id}")
    return OK


def _where_aliases(arguments: Arguments) -> str:
    from postroad.config import USUAL_FILE, find

    return f"name an address for it in [aliases] of {arguments.config or find() or USUAL_FILE}"


def _made(arguments: Arguments, octets: bytes, hostname: str) -> tuple[Mail, bytes]:
    """The message and its envelope.

    Raises:
        InputError: an address cannot be read, or there is no recipient.

    """
    from postroad.cli.sendmail.draft import addresses, finish, parse, qualified
    from postroad.relay import Births, sendmail_origin
    from postroad.spool import Mail
    from postroad.words.inputs import InputError, readable
    from postroad.words.mail import Envelope, Recipient, parse_mailbox

    births = Births()
    origin = _origin(arguments, hostname, births.id())
    draft = parse(octets)
    named = addresses(arguments.recipients) + (draft.recipients() if arguments.from_header else [])
    boxes = dict.fromkeys(readable(parse_mailbox(each)) for each in qualified(named, hostname))
    if not boxes:
        where = "To, Cc or Bcc" if arguments.from_header else "the command line; -t takes them from the message"
        raise InputError(f"there is no recipient in {where}")
    sender = origin.user if arguments.sender is None else "".join(addresses([arguments.sender])[:1])
    reverse_path = readable(parse_mailbox(qualified([sender], hostname)[0])) if sender else None
    content = finish(draft, origin, reverse_path)
    envelope = Envelope(
        reverse_path,
        tuple(Recipient(box, arguments.notify) for box in boxes),
        smtputf8=any(box.needs_smtputf8 for box in (*boxes, reverse_path) if box),
        eight_bit=arguments.eight_bit or not content.isascii(),
        ret=arguments.ret,
        envid=arguments.envid,
    )
    told = sendmail_origin(origin.user, origin.uid)
    return Mail(origin.id, envelope, origin.at, births.seed(), len(content), told), content


def _origin(arguments: Arguments, hostname: str, id_: str) -> Origin:
    import pwd
    import time

    from postroad.cli.sendmail.draft import Origin

    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
        user, real_name = entry.pw_name, entry.pw_gecos.partition(",")[0]
    except KeyError:  # a container may run under a number without a name
        user, real_name = f"uid{uid}", ""
    full_name = arguments.full_name or os.environ.get("NAME", "") or real_name
    return Origin(hostname, user, uid, full_name, id_, time.time())


def _say(text: str, status: int = OK) -> int:
    screen.remark(text, "sendmail")
    return status
