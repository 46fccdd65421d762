"""The command as the help of `postroad` has it."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli.sendmail import run


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
