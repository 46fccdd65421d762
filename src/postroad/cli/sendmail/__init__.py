"""`postroad sendmail`: the conventional sendmail command, for cron, PHP, git and other programs that use it.

Its command line and exit statuses are those of sendmail, not of the other commands: programs rely on them.

Stops: `arguments` (the command line), `draft` (the message), `handing` (over to the relay), `command` (as the help has
it). Many a program starts it for each message, so what is heavy is imported where it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from postroad.cli.lines import remark, say

if TYPE_CHECKING:
    from postroad.cli.sendmail.arguments import Arguments
    from postroad.cli.sendmail.draft import Origin
    from postroad.config import Brief
    from postroad.routing import Aliases
    from postroad.sign import SigningPolicy
    from postroad.spool import StoredMail

# sysexits.h
OK, USAGE, DATA, NO_USER, UNAVAILABLE, TEMPORARY, REFUSED, CONFIG = 0, 64, 65, 67, 69, 75, 77, 78


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
    from postroad.config import aliases_of, load_brief
    from postroad.net import open_more
    from postroad.spool import SpoolError
    from postroad.words.inputs import InputError

    if problem := open_more():
        return _say(problem, TEMPORARY)
    try:
        arguments = parse(words)
        for remark in arguments.remarks:
            _say(remark)
        config = load_brief(arguments.config)
        aliases, signing = aliases_of(config), _signing(config)
    except Misuse as problem:
        return _say(str(problem), USAGE)
    except InputError as problem:
        return _say(str(problem), CONFIG)
    if arguments.nothing:
        return OK
    try:
        return _submit(arguments, config, aliases, signing)
    except InputError as problem:
        from postroad.build import SenderError

        return _say(str(problem), REFUSED if isinstance(problem, SenderError) else DATA)
    except SpoolError as trouble:
        return _say(trouble.why, TEMPORARY)
    except OSError as problem:
        return _say(f"standard input cannot be read: {problem.strerror}", TEMPORARY)


def _signing(config: Brief) -> SigningPolicy | None:
    """How mail is signed that goes into the spool. Who may not write there has it signed at the relay's port."""
    if config.dkim.keys is None or isinstance(config.spool, str) or not os.access(config.spool, os.W_OK):
        return None
    from postroad.build import build_signing

    return build_signing(config.dkim)


def _submit(arguments: Arguments, config: Brief, aliases: Aliases, signing: SigningPolicy | None) -> int:
    from postroad.cli.sendmail.draft import bounded, read
    from postroad.cli.sendmail.handing import hand_over
    from postroad.config import hostname_of
    from postroad.words.inputs import InputError

    hostname = hostname_of(config)
    octets = read(bounded(sys.stdin.buffer, config.message_size), dot_ends=arguments.dot_ends)
    if len(octets) > config.message_size:
        raise InputError(f"the message is larger than limits.message_size, {config.message_size} octets")
    mail, content = _rewritten(*_made(arguments, octets, hostname), config)
    if arguments.at is not None:
        mail = replace(mail, release_at=_release(arguments.at, mail, config))
    if signing:
        content = signing.signed(content, mail.received_at)
        mail = replace(mail, size=len(content))
    unknown = [to.mailbox for to in mail.envelope.recipients if aliases.refusal(to.mailbox, None)]
    for each in unknown:
        _say(f"{each}: this machine has no mailboxes, and {each.local} has no alias; {_where_aliases(arguments)}")
    if unknown:
        return NO_USER
    mail = replace(mail, envelope=aliases.expanded(mail.envelope))
    done = hand_over(mail, content, config, hostname)
    for mailbox, outcome in done.refused:
        _say(f"{mailbox}: {outcome.text}")
    if done.refused:
        _say(f"the message was handed to the relay's port because of the spool: {done.instead}")
        return UNAVAILABLE if done.is_for_good else TEMPORARY
    if arguments.verbose:
        with suppress(OSError):  # it is kept, whoever hears that: to say another thing makes the caller send it again
            say(f"queued as {mail.id}")
    return OK


def _rewritten(mail: StoredMail, content: bytes, config: Brief) -> tuple[StoredMail, bytes]:
    """As the settings have it for this user.

    Raises:
        SenderError: they may not use this sender.

    """
    if not config.rewriting:
        return mail, content
    from postroad.build import rewritten

    return rewritten(mail, content, config.rewriting, _user())


def _release(at: float, mail: StoredMail, config: Brief) -> int | None:
    from postroad.build import release_of

    return release_of(at, mail.received_at, config.hold)


def _where_aliases(arguments: Arguments) -> str:
    from postroad.config import USUAL_FILE, find

    return f"set an address for it in [aliases] of {arguments.config or find() or USUAL_FILE}"


def _made(arguments: Arguments, octets: bytes, hostname: str) -> tuple[StoredMail, bytes]:
    """The message and its envelope.

    Raises:
        InputError: an address cannot be read, or there is no recipient.

    """
    from postroad.cli.sendmail.draft import addresses, finish, parse, qualified
    from postroad.spool import MessageIds, StoredMail, sendmail_origin
    from postroad.words.inputs import InputError, readable
    from postroad.words.mail import Envelope, Recipient, parse_mailbox, tls_wish_of

    ids = MessageIds()
    origin = _origin(arguments, hostname, ids.id())
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
        tls=tls_wish_of(content),
    )
    told = sendmail_origin(origin.user, origin.uid)
    return StoredMail(origin.id, envelope, origin.at, ids.seed(), len(content), told), content


def _origin(arguments: Arguments, hostname: str, id_: str) -> Origin:
    import pwd
    import time

    from postroad.cli.sendmail.draft import Origin

    uid, real_name = os.getuid(), ""
    with suppress(KeyError):
        real_name = pwd.getpwuid(uid).pw_gecos.partition(",")[0]
    full_name = arguments.full_name or os.environ.get("NAME", "") or real_name
    return Origin(hostname, _user(), uid, full_name, id_, time.time())


def _user() -> str:
    """The name of whoever runs this."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return f"uid{os.getuid()}"


def _say(text: str, status: int = OK) -> int:
    remark(text, "sendmail")
    return status
