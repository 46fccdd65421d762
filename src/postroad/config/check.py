"""Whether what the settings name is there and can be used: files, folders, addresses. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from postroad.app import InputError, build_resolver
from postroad.config.model import Config
from postroad.files import is_open_to_all
from postroad.net import NetError, bind
from postroad.relay import relay_settings


def problems(config: Config) -> Iterator[str]:
    """What would keep a relay with these settings from working: one sentence each, with how to mend it."""
    try:
        relay_settings(config)
        build_resolver(config.dns.zones, config.dns.resolvers)
    except InputError as problem:
        yield str(problem)
    yield from _of_folder(config.spool.path)
    for number, port in enumerate(config.listen, 1):
        try:
            bind(port.address, 0).close()
        except NetError as problem:
            yield f"listen[{number}].address: {problem.why}; name an address of this machine"


def warnings(config: Config) -> Iterator[str]:
    """What works, but is hardly meant."""
    for network in config.relay.networks:
        if network.prefixlen == 0:
            yield f"relay.networks has {network}: anyone who reaches a port may send mail to anyone"
    for number, port in enumerate(config.listen, 1):
        if config.relay.users and port.tls == "none" and not port.address.is_loopback:
            yield f"listen[{number}].tls is none: no user can authenticate there, for the password would be seen"
    secrets = [config.relay.users, *(route.auth.password_file for route in config.route if route.auth)]
    for path in secrets:
        if path and is_open_to_all(path):
            yield f"{path} can be read by every user of this machine; say: chmod o-r {path}"


def _of_folder(path: Path) -> Iterator[str]:
    """The relay makes the folder, so the nearest one above that is there must let it."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not there.is_dir():
        yield f"spool.path: {there} is no folder; name another"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"spool.path: {there} may not be written by this user; make it theirs, or name another"
