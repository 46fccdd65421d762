"""Who listens where, on loopback: everyone who takes mail by MX has an address of their own, and the same port."""

from dataclasses import dataclass

from tests.faults.ports import free_port

BOX = "127.0.77.1"  # where all mail ends: aiosmtpd
POSTFIX = "127.0.77.2"
POSTFIX_TLS = "127.0.77.3"
POSTFIX_FIVE = "127.0.77.4"  # takes five recipients in a transaction
EXIM = "127.0.77.5"
WARDED = {  # Postfix again, TLS demanded: what is particular about each, in its settings
    "good": ("127.0.77.11", ()),
    "expired": ("127.0.77.12", ()),
    "foreign": ("127.0.77.13", ()),
    "rsa": ("127.0.77.14", ()),
    "tls12": ("127.0.77.15", ("smtpd_tls_mandatory_protocols=TLSv1.2",)),
    "tls13": ("127.0.77.16", ("smtpd_tls_mandatory_protocols=TLSv1.3",)),
    "ecdsa": ("127.0.77.17", ("smtpd_tls_mandatory_protocols=TLSv1.2", "smtpd_tls_mandatory_exclude_ciphers=aRSA")),
}
RELAY = "127.0.77.25"
STRANGER = "127.0.77.66"  # a client that must say who it is
FRIENDS = "127.0.0.0/18"  # clients that need not: 127.0.0.1
ADDRESSES = (BOX, POSTFIX, POSTFIX_TLS, POSTFIX_FIVE, EXIM, *(address for address, _ in WARDED.values()))
ZONE = f"""
$TTL 60
box.example.       MX 10 mail.box.example.
home.example.      MX 10 mail.box.example.
clear.example.     MX 10 mail.box.example.
starttls.example.  MX 10 mail.box.example.
implicit.example.  MX 10 mail.box.example.
postfix.example.   MX 10 mail.postfix.example.
tls.example.       MX 10 mail.tls.example.
five.example.      MX 10 mail.five.example.
exim.example.      MX 10 mail.exim.example.
mail.box.example.     A {BOX}
mail.postfix.example. A {POSTFIX}
mail.tls.example.     A {POSTFIX_TLS}
mail.five.example.    A {POSTFIX_FIVE}
mail.exim.example.    A {EXIM}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where mail is taken: by all servers, by the relay with STARTTLS, and by the relay with TLS from the start."""

    smtp: int
    relay: int
    implicit: int

    @classmethod
    def free(cls):
        """Some that are free now."""
        ports = set()
        while len(ports) < 3:  # one that was free a moment ago may be given again
            ports.add(free_port(ADDRESSES))
        return cls(*ports)
