"""A receiving port and its clients, for the tests of `receive`."""

import base64
import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address

from tests.support.patience import PATIENCE_S
from tests.support.talking import HELLO, SETTINGS, Talk

from postroad.lab.certificate import NAME, server_context, trusting_context
from postroad.net import connect
from postroad.receive import ListenSettings, PasswordHash

LOOPBACK = ip_address("127.0.0.1")

KEY = hashlib.scrypt(b"secret", salt=b"salt", n=2, r=1, p=1, dklen=32)

USERS = {"ann": PasswordHash(b"salt", KEY, cost=1, block=1)}

SECURE = replace(SETTINGS, networks=(), users=USERS, tls=server_context())


def plain(user, password, authorization=""):
    """AUTH PLAIN with its initial response."""
    return b"AUTH PLAIN " + base64.b64encode(f"{authorization}\0{user}\0{password}".encode()) + b"\r\n"


@asynccontextmanager
async def call(house, tls):
    """A connection to a real port."""
    where = await house.receiver.open(ListenSettings(LOOPBACK, 0, tls))
    stream = await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S)
    yield Talk(stream)
    stream.abort()
    await house.receiver.stop()


async def greeted(client):
    """The greeting heard, EHLO said; what is offered."""
    assert ["220"] == [reply[:3] for reply in await client.hear()]
    return (await client.ask(HELLO))[0]


async def secured(client):
    """STARTTLS and EHLO again; what is offered then."""
    await greeted(client)
    assert ["220"] == await client.codes(b"STARTTLS\r\n")
    await client.stream.start_tls(trusting_context(), NAME)
    return (await client.ask(HELLO))[0]
