"""Postfix's main.cf and master.cf as settings of a relay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from postroad.adopt.draft import NO_MAILBOXES, NOTHING, Adoption, Left, Read, said, seconds, span
from postroad.adopt.main_cf import LOOPBACK, OF_TEXT, CfLine, MainCf, listens, odd_services
from postroad.adopt.postfix_routes import TLS_LEVELS, PostfixRoutes

BY_DEFAULT = re.compile(
    # where Postfix has its own files, and what Postroad does anyway or has no need of
    r"(alias_database|append_dot_mydomain|biff|bounce_.*_maps|broken_sasl_auth_clients|command_directory|compatibility_level|"
    r"config_directory|daemon_directory|daemon_timeout|data_directory|debug.*|default_privs|disable_vrfy_command|"
    r"html_directory|mail_owner|mailbox_size_limit|mailq_path|manpage_directory|meta_directory|multi_instance.*|mydomain|"
    r"newaliases_path|process_id_directory|queue_directory|readme_directory|recipient_delimiter|sample_directory|sendmail_path|"
    r"setgid_group|shlib_directory|smtp_sasl_auth_enable|smtp_sasl_(mechanism|security|tls_security)_.*|"
    r"smtp_sasl_password_maps|smtp_tls_(loglevel|note_starttls_offer|session_cache_database|ciphers|protocols|mandatory_.*)|"
    r"smtp_tls_CApath|smtp_tls_wrappermode|smtpd_banner|smtpd_delay_reject|smtpd_helo_required|"
    r"smtpd_tls_(auth_only|loglevel|session_.*|received_header|key_file|ciphers|protocols|mandatory_.*)|strict_rfc821_envelopes|"
    r"tls_.*|unknown_local_recipient_reject_code|inet_protocols_.*|smtp_dns_support_level|"
    r"smtp_tls_connection_reuse|unverified_.*|.*_reject_code)\Z"
)
MAILBOXES = re.compile(
    r"(home_mailbox|local_.*|mail_spool_directory|mailbox_(command|transport).*|virtual_(mailbox|transport|uid|gid).*|luser_relay)\Z"
)
USUAL_RULES = {
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "defer_unauth_destination",
    "reject_unauth_destination",
    "reject",
}
UNKNOWN = "it has a name in it of which main.cf does not say what it stands for; write it out by hand"
INSTEAD = {
    "canonical_maps": "[rewrite.senders] changes senders; recipients have [aliases]",
    "recipient_canonical_maps": "recipients are changed by [aliases] alone",
    "sender_dependent_default_transport_maps": "a [[route]] is chosen by recipient, not by sender",
    "sender_dependent_relayhost_maps": "a [[route]] is chosen by recipient, not by sender",
    "smtp_fallback_relay": "`hosts` of a [[route]] may have others of a higher preference value",
    "smtp_tls_policy_maps": "write a [[route]] with `tls` for each domain",
    "smtpd_sender_login_maps": "[[relay.senders]] says who may send as whom",
    "virtual_alias_maps": "[aliases] is for names of this machine",
}
DURATIONS = {  # each in the unit that Postfix takes it in, and the settings' key
    "maximal_queue_lifetime": ("d", "expiry"),
    "delay_warning_time": ("h", "warn_after"),
    "minimal_backoff_time": ("s", "first"),
    "maximal_backoff_time": ("s", "longest"),
}
COUNTS = {
    "smtpd_client_connection_count_limit": ("limits", "connections_per_client"),
    "smtpd_recipient_limit": ("limits", "recipients"),
    "smtpd_hard_error_limit": ("limits", "errors"),
    "hopcount_limit": ("limits", "hops"),
    "smtp_destination_concurrency_limit": ("deliver", "concurrency_per_address"),
    "default_destination_concurrency_limit": ("deliver", "concurrency_per_address"),
    "smtp_destination_recipient_limit": ("deliver", "recipients_per_transaction"),
}


def from_postfix(read: Read, folder: str) -> Adoption:
    """Take over main.cf and master.cf; passwords go into files of `folder`."""
    return _Postfix(read, folder).draft()


class _Postfix:
    def __init__(self, read: Read, folder: str) -> None:
        self._cf = MainCf(read)
        self._draft = Adoption()
        self._routes = PostfixRoutes(self._cf, self._draft, folder)

    def draft(self) -> Adoption:
        done = {name for name, how in _HOW.items() if self._take(name, how)}
        for name, line in self._cf.lines.items():
            if name in done or name in _HOW or not line.value:
                continue
            self._rest(name, line)
        for odd in odd_services(self._cf):
            self._draft.leave(*odd)
        ports = list(listens(self._cf))
        if ports != [{"address": LOOPBACK, "port": 25, "tls": "none"}]:
            for port in ports:
                self._draft.add("listen", {key: value for key, value in port.items() if value != "none"}, "master.cf")
        return self._draft

    def _take(self, name: str, how: Callable[[_Postfix, str, str], Left | str | None]) -> bool:
        """One setting; `how` says why not, if it cannot be taken over."""
        line = self._cf.lines.get(name)
        if line is None:
            return False
        value = self._cf.expanded(line.value)
        trouble = UNKNOWN if value is None else how(self, value, f"{name}, {line.where}")
        if isinstance(trouble, str):
            self._draft.leave(line.where, said(name, line.value), trouble)
        return True

    def _rest(self, name: str, line: CfLine) -> None:
        if name in DURATIONS or name in COUNTS:
            self._number(name, line)
        elif MAILBOXES.match(name):
            self._draft.leave(line.where, said(name, line.value), NO_MAILBOXES)
        elif name.endswith("_restrictions") and self._are_usual(line):
            return
        elif not BY_DEFAULT.match(name):
            self._draft.leave(line.where, said(name, line.value), INSTEAD.get(name, NOTHING))

    def _are_usual(self, line: CfLine) -> bool:
        """Whether rules let in who may relay by [relay], and nobody else further than to us."""
        rules = re.split(r"[,\s]+", self._cf.expanded(line.value) or "")
        refusing = next((at for at, rule in enumerate(rules) if not rule.startswith("permit_")), len(rules))
        return set(rules) <= USUAL_RULES and "permit_mynetworks" in rules[:refusing]

    def _number(self, name: str, line: CfLine) -> None:
        value, origin = self._cf.expanded(line.value) or "", f"{name}, {line.where}"
        if name in COUNTS:
            if value.isdigit() and int(value):
                self._draft.set(*COUNTS[name], int(value), origin)
            else:
                self._draft.leave(line.where, said(name, line.value), "it is not a number of 1 or more")
            return
        unit, key = DURATIONS[name]
        total = seconds(value, unit)
        if total is None:
            self._draft.leave(line.where, said(name, line.value), "it is not a time")
        else:
            self._draft.set("retry", key, span(total), origin)

    # What each setting becomes; a sentence says why it does not

    def hostname(self, value: str, origin: str) -> str | None:
        self._draft.set("", "hostname", value, origin)
        return None

    def networks(self, value: str, origin: str) -> str | None:
        rules = self._cf.value("smtpd_relay_restrictions")
        listed = [re.sub(r"[\[\]]", "", each) for each in re.split(r"[,\s]+", value) if each]
        if rules and "permit_mynetworks" not in rules:  # theirs is the last word (SMTPD_ACCESS_README)
            origin, listed = f"smtpd_relay_restrictions, {self._cf.lines['smtpd_relay_restrictions'].where}", []
        self._draft.relay_for(listed, origin)
        return None

    def style(self, value: str, origin: str) -> str | None:
        is_said = "mynetworks" in self._cf.lines or value == "host"
        return None if is_said else "the networks of this machine are not known here: write them into relay.networks"

    def origin(self, value: str, origin: str) -> str | None:
        first = ((self._cf.read(value) or "").splitlines() or [""])[0].strip() if value.startswith("/") else value
        host = self._cf.value("myhostname")
        if not first or first == host:
            return None
        return f"names without a domain get the hostname here; [rewrite.senders] makes another of it, such as {first}"

    def relay(self, value: str, origin: str) -> str | None:
        return self._routes.relay(value, origin)

    def transports(self, value: str, origin: str) -> str | None:
        return self._routes.transports(value)

    def generic(self, value: str, origin: str) -> str | None:
        entries, trouble = self._cf.table(value)
        for where, key, target in entries:
            if "@" in key and "@" in target:
                self._rewritten(key.removeprefix("@"), target.removeprefix("@"), where)
            else:  # of this machine, whatever it is called
                self._draft.leave(where, f"{key} {target}", "write both with their domains into [rewrite.senders]")
        return trouble

    def masquerade(self, value: str, origin: str) -> str | None:
        for domain in re.split(r"[,\s]+", value):
            if domain.startswith("!"):
                return f"{domain} is an exception: write it into [rewrite.senders] by hand"
            self._rewritten(f".{domain}", domain, origin)
        return None

    def _rewritten(self, old: str, new: str, origin: str) -> None:
        self._draft.set("rewrite.senders", old, new, origin)

    def bcc(self, value: str, origin: str) -> str | None:
        self._draft.set("rewrite", "always_bcc", [value], origin)
        return None

    def aliases(self, value: str, origin: str) -> str | None:
        names = value.replace(",", " ").split()
        for name in names:
            kind, _, place = name.rpartition(":")
            if kind in OF_TEXT and place.startswith("/") and self._cf.read(place) is not None:
                self._draft.set("aliases", "file", place, origin)
                names.remove(name)
                break
        return f"{', '.join(names)}: write who reads what into [aliases] by hand" if names else None

    def size(self, value: str, origin: str) -> str | None:
        if value.isdigit() and int(value):
            self._draft.set("limits", "message_size", int(value), origin)
            return None
        return "a limit has to be a number of octets; set limits.message_size by hand"

    def protocols(self, value: str, origin: str) -> str | None:
        families = {"ipv4": [4], "ipv6": [6]}.get(value.strip())
        if families:
            self._draft.set("deliver", "families", families, origin)
        elif self._cf.value("smtp_address_preference") == "ipv4":
            self._draft.set("deliver", "families", [4, 6], origin)
        return None

    def source(self, value: str, origin: str) -> str | None:
        known = self._draft.tables.get("deliver", {}).get("source", [])
        self._draft.set("deliver", "source", [*known, value.strip("[]")], origin)
        return None

    def tls(self, value: str, origin: str) -> str | None:
        mode = TLS_LEVELS.get(value)
        if not mode and value not in {"", "may"}:
            return "there is no such level here: without it mail may go to any server, and in the clear"
        if mode and not self._cf.value("relayhost"):
            self._draft.set("deliver", "tls", mode, origin)
        return None  # "may" is less than what `auto` does, which is the default

    def destinations(self, value: str, origin: str) -> str | None:
        own = {self._cf.value("myhostname"), "localhost", "localhost.localdomain", ""}
        names = [each for each in re.split(r"[,\s]+", value) if each not in own and not each.startswith("localhost.")]
        return f"mail for {', '.join(names)} went into mailboxes of this machine. {NO_MAILBOXES}" if names else None

    def certificate(self, value: str, origin: str) -> str | None:
        if any(listen.get("tls", "none") != "none" for listen in listens(self._cf)):
            self._draft.set("tls", "certificate", value, origin)
            key = self._cf.value("smtpd_tls_key_file")
            if key:
                self._draft.set("tls", "key", key, origin)
        return None

    def users(self, value: str, origin: str) -> str | None:
        return (
            "passwords stay where they are: make a file of users with `postroad config hash`"
            if value == "yes"
            else None
        )

    def nothing(self, value: str, origin: str) -> str | None:
        return None


_HOW: Mapping[str, Callable[[_Postfix, str, str], str | None]] = {
    "myhostname": _Postfix.hostname,
    "mynetworks": _Postfix.networks,
    "mynetworks_style": _Postfix.style,
    "myorigin": _Postfix.origin,
    "relayhost": _Postfix.relay,
    "transport_maps": _Postfix.transports,
    "smtp_generic_maps": _Postfix.generic,
    "sender_canonical_maps": _Postfix.generic,
    "masquerade_domains": _Postfix.masquerade,
    "always_bcc": _Postfix.bcc,
    "alias_maps": _Postfix.aliases,
    "message_size_limit": _Postfix.size,
    "inet_interfaces": _Postfix.nothing,
    "inet_protocols": _Postfix.protocols,
    "smtp_address_preference": _Postfix.nothing,
    "smtp_bind_address": _Postfix.source,
    "smtp_bind_address6": _Postfix.source,
    "smtp_tls_security_level": _Postfix.tls,
    "smtp_tls_CAfile": _Postfix.nothing,
    "smtpd_tls_security_level": _Postfix.nothing,
    "smtpd_tls_cert_file": _Postfix.certificate,
    "smtpd_sasl_auth_enable": _Postfix.users,
    "mydestination": _Postfix.destinations,
}
