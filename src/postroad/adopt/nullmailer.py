"""nullmailer's control files as settings of a relay (nullmailer-send(8), nullmailer-inject(1))."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from postroad.adopt.draft import NO_TLS, NOTHING, SECRET, UNKNOWN, Adoption, Read, Values, seconds, span
from postroad.adopt.hops import port_of

KNOWN = frozenset({"port", "ssl", "starttls", "insecure", "user", "pass", "auth-login", "x509cafile"})


def from_nullmailer(read: Read, folder: str) -> Adoption:
    """Take over /etc/nullmailer; passwords go into files of `folder`."""
    draft = Adoption()
    place = "me" if _first(read, "me") else "/etc/mailname"  # Debian has the name there
    name = _first(read, place)
    if name:
        draft.set("", "hostname", name, place)
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
        for each in ("root", "postmaster", "*"):  # "all recipients to users at either localhost or [me]"
            draft.set(
                "aliases", each, [part.strip() for part in admin.split(",")] if "," in admin else admin, "adminaddr"
            )
    _times(draft, read)
    return draft


def _words(line: str) -> tuple[str, ...] | None:
    """By the quoting rules of a shell, in which only a whole line is a comment; None if it cannot be read."""
    if line.lstrip().startswith("#"):
        return ()
    try:
        return tuple(shlex.split(line))
    except ValueError:
        return None


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
    shared: Values | None = None
    for number, line in enumerate(text.splitlines(), 1):
        where, words = f"remotes:{number}", _words(line)
        if words == ():
            continue
        if words is None or (len(words) > 1 and words[1] != "smtp"):  # such a line may have a password anywhere
            why = "only smtp is known here" if words else "its quotes do not end"
            draft.leave(where, words[0] if words else "a line", f"{why}; write a route for it by hand")
            continue
        # "The options may optionally be prefixed by -- but this is not required": nullmailer-send(8)
        options = dict(word.removeprefix("--").partition("=")[::2] for word in words[2:])
        port, route = _remote(draft, where, options, folder)
        if shared not in (None, route):
            why = "it has another password or other TLS than the first: write a route of its own for it"
            draft.leave(where, words[0], why)
            continue
        shared = route
        hosts.append({"host": words[0], "port": port, "preference": 10 * len(hosts)})
    if hosts:
        way: Values = {"hosts": hosts} if len(hosts) > 1 else {"next_hop": f"{hosts[0]['host']}:{hosts[0]['port']}"}
        draft.add("route", {"domains": ["*"], **way, **(shared or {})}, "remotes")


def _remote(draft: Adoption, where: str, options: Mapping[str, str], folder: str) -> tuple[int, Values]:
    """The port of a smarthost, and what its route has besides."""
    is_tls = "ssl" in options
    usual = 465 if is_tls else 25
    port = port_of(options["port"]) if "port" in options else usual
    route: Values = {"security": "tls"} if is_tls and port != 465 else {}  # there it is so by itself
    if "user" in options:
        route["auth"] = draft.password(options["user"], options.get("pass"), folder)
        if "pass" not in options:
            draft.leave(where, "user", UNKNOWN.format(file=f"{folder}/{SECRET}"))
        if not (is_tls or "starttls" in options):
            draft.leave(where, "user", NO_TLS)
    elif is_tls or "starttls" in options:
        route["tls"] = "encrypt" if "insecure" in options else "verify"
    if "x509cafile" in options and ("auth" in route or route.get("tls") == "verify"):
        route["ca_file"] = options["x509cafile"]
    unknown = sorted(options.keys() - KNOWN) + ([] if port else ["port"])
    if unknown:
        draft.leave(where, ", ".join(unknown), NOTHING)
    return port or usual, route
