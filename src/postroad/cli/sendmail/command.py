"""The command as the help of `postroad` has it."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli.sendmail import run


def sendmail(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[OPTION|RECIPIENT]...")] = None,
) -> None:
    """Submit a message from standard input to the relay, like the sendmail command of other mail systems.

    -t adds the recipients in To, Cc and Bcc; Bcc is removed. -i or -oi: a line with a single dot does not end the
    message. -f SENDER, -F NAME, -N NOTIFY, -R FULL|HDRS, -V ENVID, -B 8BITMIME, -v; -C FILE names the settings. --at
    TIME holds the message until then: "2026-12-24 08:00", "08:00", "tomorrow", +2h. -bs speaks SMTP on standard input
    and output. -bp shows the queue (so does the name mailq); -q retries all waiting mail now, -qI ID, -qR DOMAIN and
    -qS SENDER some of it. -bi (newaliases) has nothing to rebuild. Other sendmail options are ignored; -bd, -bt and -bv
    are not supported.

    The message goes into the spool; if the user may not write there, to the first loopback port of the relay. Missing
    From, Date and Message-ID fields are added. A name without a domain is a local user: [aliases] in the settings says
    where their mail goes.

    Exit status (sysexits.h): 0 queued, 64 usage error, 65 an address or the message cannot be used, 67 a local user has
    no alias, 69 refused, or there is no queue, 75 temporary failure, try again, 77 this user may not use that sender,
    or may not see the queue, 78 the settings have errors.
    """
    raise typer.Exit(run(arguments or ()))
