"""Mail to put into a spool, and a stage for stories about it."""

import asyncio
from contextlib import asynccontextmanager

from postroad.spool import Selection
from postroad.spool.base import StoredMail
from postroad.spool.memory import MemorySpool
from postroad.spool.sqlite import SqliteSpool
from postroad.words.mail import Envelope, Recipient, parse_mailbox

NOW = 1_000_000.0
BODY = b"Subject: hello\r\n\r\nhello\r\n"
SIZE = len(BODY)
EVERYTHING = Selection()


def recipients(*addresses):
    """Recipients without any wishes."""
    return tuple(Recipient(parse_mailbox(address)) for address in addresses)


def letter(id_="m1", *to, sender="ann@home.example", at=NOW, size=SIZE):
    """A message, to bob@far.example if nobody is named; no sender: the null reverse-path."""
    reverse_path = parse_mailbox(sender) if sender else None
    return StoredMail(id_, Envelope(reverse_path, recipients(*(to or ("bob@far.example",)))), at, 7, size, "a client")


@asynccontextmanager
async def opened(kind, folder, **settings):
    """A spool of a kind, closed in the end."""
    if kind == "postgres":
        from tests.support.postgres import nodes  # a server, for those who need one

        async with nodes("one", **settings) as (spool,):
            yield spool
        return
    settings["node"] = "one"
    spool = MemorySpool(**settings) if kind == "memory" else await SqliteSpool.open(folder, **settings)
    try:
        yield spool
    finally:
        await spool.close()


def play(story, kind, folder, **settings):
    """Run a story about a spool of a kind."""

    async def whole():
        async with opened(kind, folder, **settings) as spool:
            await story(spool)

    run_for(kind)(whole())


def run_for(kind):
    """What runs a story about a spool of a kind."""
    if kind != "postgres":
        return asyncio.run
    from tests.support.postgres import loop  # a server, for those who need one

    return loop().run


async def octets(spool, mail):
    """The whole body."""
    return b"".join([piece async for piece in spool.body(mail)])


async def states(spool, selection=EVERYTHING):
    """(destination, state) of each parcel, in the order of the queue."""
    return [(one.parcel.destination, one.state.value) for one in await spool.listed(selection)]
