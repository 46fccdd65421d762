"""SIGHUP: every key of the settings applies at once or is said to need a restart; ports open and close."""

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.faults.ports import free_port
from tests.support.relaying import house, resolver_of, settings_of

from postroad.config import Config, read
from postroad.net import NetError, bind
from postroad.receive import ListenSettings, Tls
from postroad.relay.reload import AT_RELOAD, AT_RESTART, NOT_OF_A_RELAY, changed, values, waiting

LOOPBACK = ip_address("127.0.0.1")
CLASSES = (AT_RELOAD, AT_RESTART, NOT_OF_A_RELAY)


def config(text=""):
    """The settings of a file."""
    return read(text, Path("/nowhere/relay.toml"))


def can_connect(port):
    """Whether it is open."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_every_key_is_of_one_class():
    """A new key must be put into one: it applies at SIGHUP, or waits for a restart, or is not a relay's."""
    assert sorted(key for each in CLASSES for key in each) == sorted(key for key, _ in values(Config()))


@pytest.mark.parametrize(
    ("text", "keys", "wait"),
    [
        ("", [], []),
        ("limits.recipients = 7\nretry.first = '1m'", ["limits.recipients", "retry.first"], []),
        ("spool.path = 'other'", ["spool.path"], ["spool.path"]),
        ("drain = '1s'\nmetrics.listen = '127.0.0.1:9925'", ["drain", "metrics.listen"], ["metrics.listen"]),
        ("check.fail_on = 'never'", [], []),
        ("[[route]]\ndomains = ['*']\nnext_hop = 'a.example'", ["route"], []),
    ],
)
def test_what_changed_is_named_and_what_waits(text, keys, wait):
    """By the names they have in the file."""
    before, after = config(), config(text)
    assert (keys, wait) == (changed(before, after), waiting(before, after))


def test_ports_open_and_close():
    """A port that is new in the settings opens, one that is gone closes, one that stays keeps its connections."""

    async def story():
        async with house() as it:
            stays, comes = it.relay.settings.listen[0], ListenSettings(LOOPBACK, free_port([str(LOOPBACK)]))
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            greeting = await reader.readline()
            more = replace(settings_of("", it.lab), listen=(stays, comes))
            await it.relay.reload(more, resolver_of(it.lab))
            were_open = can_connect(it.port), can_connect(comes.port)
            await it.relay.reload(replace(more, listen=(comes,)), resolver_of(it.lab))
            writer.write(b"NOOP\r\n")
            noop = await reader.readline()
            writer.close()
            closed = it.told.named("relay.port.closed")[0]["where"].port
            return greeting[:3], were_open, closed == it.port, can_connect(it.port), can_connect(comes.port), noop[:3]

    assert (b"220", (True, True), True, False, True, b"250") == asyncio.run(story())


def test_port_that_is_taken_changes_nothing():
    """Neither the ports nor any other setting."""

    async def story():
        async with house() as it:
            with socket.create_server(("127.0.0.1", 0)) as sock:
                ports = (
                    ListenSettings(LOOPBACK, free_port([str(LOOPBACK)])),
                    ListenSettings(LOOPBACK, sock.getsockname()[1]),
                )
                wrong = replace(settings_of("limits.recipients = 1", it.lab), listen=ports)
                with pytest.raises(NetError, match="in use"):
                    await it.relay.reload(wrong, resolver_of(it.lab))
                bind(LOOPBACK, ports[0].port).close()
            return it.relay.receiver.settings.limits.recipients, can_connect(it.port), len(it.relay.settings.listen)

    assert (1000, True, 1) == asyncio.run(story())


def test_tls_of_a_port_that_stays_waits_for_a_restart():
    """It goes on as it is, and `settings` of the relay say so."""

    async def story():
        async with house() as it:
            before = it.relay.settings.listen
            wanted = replace(settings_of("", it.lab), listen=(replace(before[0], tls=Tls.STARTTLS),))
            await it.relay.reload(wanted, resolver_of(it.lab))
            return before == it.relay.settings.listen != wanted.listen

    assert asyncio.run(story())


def test_ports_that_another_opened_all_stay():
    """Systemd would go on holding them, with nobody to answer."""

    async def story():
        async with house() as it:
            given = bind(LOOPBACK, 0)
            port = given.getsockname()[1]
            other = type(it.relay)(it.relay.settings, it.relay.spool, resolver_of(it.lab), it.told)
            await other.open([given])
            await other.reload(
                replace(other.settings, listen=(ListenSettings(LOOPBACK, free_port([str(LOOPBACK)])),)),
                resolver_of(it.lab),
            )
            is_open = can_connect(port)
            await other.receiver.stop()
            for task in other._tasks:
                task.cancel()
            return is_open, it.told.named("relay.port.closed")

    assert (True, []) == asyncio.run(story())
