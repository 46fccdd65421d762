"""AUTH, and whether the host is ourselves: both are settled before any mail."""

from __future__ import annotations

import base64

from postroad.dialogue.conversation import Conversation, HostError
from postroad.dialogue.settings import Credentials
from postroad.net import Endpoint
from postroad.smtp import Auth, host_outcome
from postroad.words.outcome import Phase
from postroad.words.reply import Reply

SMTP_PORT = 25


def why_ourselves(hello: Reply, hostname: str, peer: Endpoint) -> str:
    """A host that has our name is we, behind an address we do not know for ours: mail would go in circles.

    At the port of exchangers only, as in Postfix: at another one a content filter may well bear our name.
    """
    name = hello.lines[0].partition(" ")[0]
    if peer.port == SMTP_PORT and "." in hostname and name.lower() == hostname.lower():
        return f"mail would loop back to us: the host gives our own name, {name} (does its address belong in `own`?)"
    return ""


async def authenticate(host: Conversation, login: Credentials, limit_s: float) -> None:
    """Say who we are (RFC 4954), by PLAIN where the host has it, else by LOGIN.

    A host that knows us not is a fault of our settings, and mail waits until they are right: deferred.

    Raises:
        HostError: it offers neither, or does not know us.

    """
    host.phase = Phase.AUTH
    offered = host.capabilities.auth
    if "PLAIN" in offered:
        reply = await host.ask(Auth("PLAIN", _base64(f"\0{login.user}\0{login.password}")), limit_s)
    elif "LOGIN" in offered:
        reply = await host.ask(Auth("LOGIN", None), limit_s)
        for answer in (login.user, login.password):
            if reply.code == 334:
                reply = await host.answer(_base64(answer), limit_s)
    else:
        text = "the settings of this route have a login, but the host does not offer AUTH PLAIN or LOGIN"
        raise host.refuse(text, "4.7.8")
    if reply.code != 235:
        raise HostError(host.phase, host_outcome(reply, host.phase))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
