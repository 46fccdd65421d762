"""What the process that delivers has to know, as the one that receives sends it: it reads no settings itself."""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from ssl import CERT_NONE, SSLContext
from typing import TYPE_CHECKING

from postroad.build import opportunistic_tls
from postroad.receive import ReceiveSettings
from postroad.relay.journal import Style, style_of
from postroad.relay.settings import RelaySettings

if TYPE_CHECKING:
    from postroad.config import Config


@dataclass(frozen=True, slots=True)
class NameServers:
    """Whom the process that delivers asks: see the `[dns]` table."""

    resolvers: tuple[str, ...]
    trust_ad: bool
    zones: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class DelivererSettings:
    """All that the process that delivers needs to know besides the spool.

    It has them from the one that receives, which has read each file that they name but for zones: two processes of a
    relay never have different keys or passwords, and to load pydantic and read the settings again took as long as all
    else in a start.
    """

    relay: RelaySettings
    dns: NameServers
    style: Style
    is_counted: bool

    @classmethod
    def of(cls, config: Config, relay: RelaySettings) -> DelivererSettings:
        """Of these settings; what they say of receiving stays where that is done."""
        told = relay.receive
        receive = ReceiveSettings(told.hostname, aliases=told.aliases, signing=told.signing)
        asked = NameServers(config.dns.resolvers, config.dns.trust_ad, config.dns.zones)
        return cls(replace(relay, receive=receive), asked, style_of(config.log), config.metrics.listen is not None)

    def packed(self) -> bytes:
        """As the other end of the link has them."""
        octets = BytesIO()
        pickler = pickle.Pickler(octets)
        pickler.dispatch_table = copyreg.dispatch_table | {SSLContext: _made_again}
        pickler.dump(self)
        return octets.getvalue()


def _made_again(context: SSLContext) -> tuple[Callable[[], SSLContext], tuple[()]]:
    """How the other process makes the like: one that proves who is there would become one that does not."""
    if context.verify_mode is not CERT_NONE:
        raise TypeError("a TLS context that verifies cannot be sent; send what it is made of")
    return opportunistic_tls, ()


def unpacked(octets: bytes) -> DelivererSettings:
    """The same in this process, in which each route's have a number of their own (see DeliverSettings)."""
    it: DelivererSettings = pickle.loads(octets)  # noqa: S301  # our parent's, over a socket without a name
    hops = tuple(replace(hop, settings=replace(hop.settings)) for hop in it.relay.next_hops)
    return replace(it, relay=replace(it.relay, deliver=replace(it.relay.deliver), next_hops=hops))
