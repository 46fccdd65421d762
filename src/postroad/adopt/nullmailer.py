"""nullmailer's control files as settings of a relay (nullmailer-send(8), nullmailer-inject(1))."""

from __future__ import annotations

import shlex

from postroad.adopt.draft import Adoption, Read, Values, seconds, span
from postroad.adopt.hops import port_of


def from_nullmailer(read: Read, folder: str) -> Adoption:
    """Take over /etc/nullmailer; passwords go into files of `folder`."""
    draft = Adoption()
    name = _first(read, "me")
    if name:
        draft.set("", "hostname", name, "me")
    _remotes(draft, read("remotes") or "", folder)
    sender, domain = _first(read, "allmailfrom"), _first(read, "defaultdomain")
    if sender:
        draft.set("rewrite.senders", "*", sender, "allmailfrom")
    elif domain and name and domain != name:
        draft.leave(
            "defaultdomain", domain, "names without a domain get the hostname; see [rewrite.senders] for another"
        )
    admin = _first(read, "adminaddr")
    if admin:
        for each in ("root", "postmaster"):
            draft.set("aliases", each, admin.split(",") if "," in admin else admin, "adminaddr")
    _times(draft, read)
    return draft


def _first(read: Read, name: str) -> str:
    lines = (read(name) or "").split("\n")
    return lines[0].strip()


def _times(draft: Adoption, read: Read) -> None:
    for name, key in (("pausetime", "first"), ("maxpause", "longest"), ("queuelifetime", "expiry")):
        total = seconds(_first(read, name))
        if total:
            draft.set("retry", key, span(total), name)


def _remotes(draft: Adoption, text: str, folder: str) -> None:
    """One smarthost a line; the first that takes the mail has it."""
    hosts: list[Values] = []
    shared: Values = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        where = f"remotes:{number}"
        options = dict(word.removeprefix("--").partition("=")[::2] for word in words[1:] if word.startswith("--"))
        if len(words) > 1 and words[1] != "smtp" and not words[1].startswith("--"):
            draft.leave(where, line, "only smtp is known here")
            continue
        is_tls = "ssl" in options
        port = port_of(options.pop("port", "465" if is_tls else "25"))
        hosts.append({"host": words[0], "port": port or 25, "preference": 10 * len(hosts)})
        route: Values = {"security": "tls"} if is_tls and port != 465 else {}  # there it is so by itself
        if "user" in options:
            route["auth"] = draft.password(options["user"], options.get("pass", ""), folder)
        elif is_tls or "starttls" in options:
            route["tls"] = "encrypt" if "insecure" in options else "verify"
        if len(hosts) == 1:
            shared = route
        elif route != shared:
            hosts.pop()
            draft.leave(
                where, words[0], "it has another password or other TLS than the first: write a route of its own for it"
            )
    if len(hosts) == 1:
        draft.add(
            "route", {"domains": ["*"], "next_hop": f"{hosts[0]['host']}:{hosts[0]['port']}", **shared}, "remotes"
        )
    elif hosts:
        draft.add("route", {"domains": ["*"], "hosts": hosts, **shared}, "remotes")
