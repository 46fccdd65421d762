"""What `import postroad` gives a programmer: route, lookup, check, send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from postroad.app import (
    Road,
    Routed,
    Sent,
    build_message,
    build_own,
    build_policy,
    build_resolver,
    destination_of,
    host_name,
)
from postroad.deliver import DeliverSettings, opportunistic_tls
from postroad.words.facts import Snapshot
from postroad.words.trace import Listener, nobody

if TYPE_CHECKING:
    from postroad.report import Checked

T = TypeVar("T")


def route(
    domain: str,
    *,
    zones: Sequence[str | Path] = (),
    resolvers: Sequence[str] = (),
    procedure: str = "rfc5321",
    seed: int | None = None,
    own: Sequence[str] = (),
) -> Routed:
    """Where mail for a domain, a mailbox or an address literal goes (RFC 5321 section 5.1).

    `zones` are RFC 1035 files that answer in place of DNS; `resolvers` are name servers as `ADDRESS[:PORT]`; `own` are
    names and addresses of this host. The answer has the route or refusal, exact odds, and one order drawn with `seed`.
    Blocks while DNS is asked.

        >>> routed = route("example.com", zones=["docs/examples/example.com.zone"], seed=1)
        >>> [str(target) for target in routed.plan.targets][0]
        'mail1.example.com [192.0.2.11]'

    Raises:
        InputError: the domain, a zone file, a server or the procedure cannot be used.

    """
    road = Road(build_resolver(zones, resolvers), build_policy(procedure), build_own(own))
    return _run(lambda: road.route(destination_of(domain), seed))


def lookup(domain: str, *, zones: Sequence[str | Path] = (), resolvers: Sequence[str] = ()) -> Snapshot:
    """All that DNS says of a domain's mail: MX, addresses, name servers, reverse names. Blocks while DNS is asked.

        >>> lookup("example.com", zones=["docs/examples/example.com.zone"]).mx.records[0]
        Mx(preference=10, exchange='mail1.example.com')

    Raises:
        InputError: the domain, a zone file or a server cannot be used.

    """
    road = Road(build_resolver(zones, resolvers))
    return _run(lambda: road.lookup(destination_of(domain)))


def check(
    domain: str, *, zones: Sequence[str | Path] = (), resolvers: Sequence[str] = (), smtp: bool = False
) -> Checked:
    """What will lose or delay a domain's mail: findings, each with its severity and the zone lines that mend it.

    `zones` are files that answer in place of DNS; with `smtp` each exchanger is talked to once. Blocks meanwhile.

    Raises:
        InputError: the domain, a zone file or a server cannot be used.

    """
    from postroad.checking import Choice, Terms, build_sources, check_one  # noqa: PLC0415  # the rules cost 50 ms

    destination = destination_of(domain)
    choice = Choice(tuple(map(Path, zones)), resolvers=resolvers, smtp=smtp)
    return _run(lambda: check_one(destination, build_sources(choice), Terms()))


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How `send` finds and talks to the exchangers. Another `port` than 25 is for tests: loopback is a target then."""

    zones: Sequence[str | Path] = ()
    resolvers: Sequence[str] = ()
    procedure: str = "rfc5321"
    seed: int | None = None
    own: Sequence[str] = ()
    port: int = 25
    hostname: str = ""
    starttls: bool = True
    listener: Listener = field(default=nobody)


async def send(
    message: bytes | str | EmailMessage,
    *,
    sender: str | None,
    recipients: Sequence[str],
    options: SendOptions | None = None,
) -> Sent:
    """Deliver a message now, straight to the mail exchangers of each recipient's domain; nothing is queued.

    A `sender` of None is the null reverse-path. The answer has an outcome for each recipient (delivered, deferred or
    failed) and the trail of every address contacted. Nothing is raised for what DNS, the network or a host does.

        sent = await postroad.send(message, sender="me@example.net", recipients=["you@example.org"])
        for mailbox, outcome in sent.outcomes.items():
            print(mailbox, outcome.result, outcome.text)

    Raises:
        InputError: an address, a zone file or a server cannot be used.

    """
    chosen = options or SendOptions()
    road = Road(
        build_resolver(chosen.zones, chosen.resolvers),
        build_policy(chosen.procedure, allow_loopback=chosen.port != 25),
        build_own(chosen.own),
        DeliverSettings(
            hostname=chosen.hostname or host_name(),
            port=chosen.port,
            tls=opportunistic_tls() if chosen.starttls else None,
        ),
        chosen.listener,
    )
    return await road.send(build_message(message, sender, recipients), chosen.seed)


def _run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end, also where a loop is running already: then in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(main())).result()
