"""`postroad relay`: the outgoing mail server, in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.config import Config


def relay(
    config: options.ConfigFile = None,
    spool: options.SpoolFolder = None,
) -> None:
    """Take mail by SMTP, keep it on disk, deliver it to the exchangers of each domain, retry, report.

    Runs in the foreground until SIGTERM, which lets deliveries under way end; SIGHUP reads the settings again. The log
    goes to stderr. Without a settings file it listens on 127.0.0.1 port 25 for clients of this machine.

    Exit status: 0 ended in order, 2 the settings, the spool or a port cannot be used.
    """

    def load() -> Config:
        from postroad.config import load as load_config

        loaded = load_config(config)
        return loaded.model_copy(update={"spool": loaded.spool.model_copy(update={"path": spool})}) if spool else loaded

    async def served() -> None:
        from postroad.relay.service import Place, serve

        await serve(load, Place())

    screen.run(served)
