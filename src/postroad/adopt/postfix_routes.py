"""Where Postfix sends mail: relayhost and transport_maps, with passwords and TLS (postconf(5), transport(5))."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.adopt.draft import Adoption, Values, pairs
from postroad.adopt.hops import WrittenHop, postfix_hop
from postroad.adopt.main_cf import OF_TEXT, MainCf

SYSTEM_CAS = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}
TLS_LEVELS = {
    "none": "off",
    "encrypt": "encrypt",
    "dane": "dane",
    "dane-only": "dane-only",
    "verify": "verify",
    "secure": "verify",
}


@dataclass(frozen=True, slots=True)
class PostfixRoutes:
    """The routes of main.cf; passwords go into files of `folder`."""

    cf: MainCf
    draft: Adoption
    folder: str

    def relay(self, value: str, origin: str) -> str | None:
        """Of `relayhost`; why not, if it cannot be taken over."""
        if not value:
            return None
        hop = postfix_hop(value)
        return self._route(["*"], hop, value, origin) if hop else "write a route for it by hand"

    def _route(self, domains: list[str], hop: WrittenHop, written: str, origin: str) -> str | None:
        route: Values = {"domains": domains}
        login = self._login(written, hop)
        if hop.by_mx and hop.port == 25 and not login:  # the port that exchangers have; a password is not for them
            route["mx_of"] = hop.host
        else:
            route["next_hop"] = hop.endpoint
            if hop.by_mx:
                self.draft.leave(origin, written, "Postfix asks for its MX records; here mail goes to the host itself")
        if self.cf.value("smtp_tls_wrappermode") == "yes":
            route["security"] = "tls"
        if login:
            route["auth"] = login
        level = self._level()
        if level and not (login and level == "encrypt"):
            route["tls"] = level
        ca_file = self.cf.value("smtp_tls_CAfile")
        if ca_file and ca_file not in SYSTEM_CAS and (login or level == "verify"):
            route["ca_file"] = ca_file
        self.draft.add("route", route, origin)
        return None

    def _level(self) -> str | None:
        level = TLS_LEVELS.get(self.cf.value("smtp_tls_security_level"))
        return level if level != "off" else None

    def _login(self, written: str, hop: WrittenHop) -> Values | None:
        if self.cf.value("smtp_sasl_auth_enable") != "yes":
            return None
        for name in self.cf.value("smtp_sasl_password_maps").replace(",", " ").split():
            kind, _, place = name.partition(":")
            if kind == "static":
                user, _, password = place.partition(":")
                return self.draft.password(user, password, self.folder)
            text = self.cf.read(place) if kind in OF_TEXT else None
            if text is None:
                where = self.cf.lines["smtp_sasl_password_maps"].where
                why = "cannot be read as a table of text; name the user and a file with the password in `auth`"
                self.draft.leave(where, "smtp_sasl_password_maps", f"{kind}:{place} {why} of the route")
                continue
            for _number, key, value in pairs(text):
                if key in {written, hop.host, f"[{hop.host}]"}:
                    user, _, password = value.partition(":")
                    return self.draft.password(user, password, self.folder)
        return None

    def transports(self, value: str) -> str | None:
        """Of `transport_maps`; why not, if some of it cannot be read."""
        entries, trouble = self.cf.table(value)
        for where, key, target in entries:
            transport, _, hop_text = target.partition(":")
            if not transport and not hop_text:  # "do not change": as if the table did not exist (transport(5))
                hop_text = self.cf.value("relayhost")
            hop = postfix_hop(hop_text) if hop_text else None
            if "@" in key:
                self.draft.leave(where, key, "a route is for domains, not for one address")
            elif transport not in {"smtp", "relay", ""} or (hop_text and not hop):
                self.draft.leave(where, f"{key} {target}", "there is no such transport here")
            elif hop is None:
                level = self._level()
                self.draft.add("route", {"domains": [key], "direct": True, **({"tls": level} if level else {})}, where)
            else:
                self._route([key], hop, hop_text, where)
        return trouble
