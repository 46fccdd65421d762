"""`postroad relay`: the outgoing mail server, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.config import Config


MOST = 2


def relay(
    config: options.ConfigFile = None,
    spool: options.SpoolPlace = "",
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="2: one process receives, another one delivers; two cores are used.")
    ] = 1,
) -> None:
    """Accept mail by SMTP, queue it on disk, deliver it to each domain's exchangers, retry, and report failures.

    Runs in the foreground until SIGTERM, which lets current deliveries finish; SIGHUP reloads the settings, and the log
    names those that need a restart. The log goes to stderr; the relay goes on if it cannot be written.

    Without a settings file it listens on 127.0.0.1 port 25 for clients of this machine. For a user other than root, who
    may not write /var/spool/postroad, that is port 2525, with a spool in $XDG_STATE_HOME/postroad, or else
    ~/.local/state/postroad: `postroad sendmail` and `postroad queue` of that user find it there.

    Exit status: 0 shut down cleanly, 2 the settings, the spool or a port cannot be used, or the limit on open files is
    too low.
    """

    async def served() -> None:
        from postroad.config import SettingsFile, find, own_place
        from postroad.relay import serve
        from postroad.spool import place_of

        file = SettingsFile(config, begins=True)

        def load() -> Config:
            loaded = file.load()
            return loaded.model_copy(update={"spool": loaded.spool.moved_to(place_of(spool))}) if spool else loaded

        if config is None and find() is None and (own := own_place(begins=True)):
            screen.remark(f"no settings file: the spool is {spool or own.spool}, and mail is accepted at {own.where}")
        await serve(load, is_split=workers == MOST)

    if workers > MOST:
        screen.fail(
            f"--workers is {workers}, but there is work for at most {MOST} processes: one receives, one delivers; "
            f"write --workers {MOST}"
        )
    from postroad.relay import keep_standard_descriptors

    keep_standard_descriptors()
    screen.run(served)
