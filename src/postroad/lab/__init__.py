"""A small Internet on loopback (floor 4), with configurable faults: a name server, exchangers, and what they received.

Rule 1: real sockets, real time, no root; nothing leaves 127.0.0.0/8 and ::1.
Rule 2: whatever misbehaves does so because it was told to, and may be told otherwise while it runs.
Rule 3: each step is told as an event; tests wait for those, never for the clock.

Stops: `lab` (all of it together), `places` (who is where, by name and address), `nameserver`, `sink` (an exchanger),
`web` (MTA-STS policies by HTTPS), `blackhole` (a port that swallows SYNs), `moving` (addresses brought onto loopback),
`certificate` (what servers show; its keys are public), `saving` (messages as files), `control` (a lab that runs is told
otherwise), `namespace` (a network of one's own), `capture` (every attempt to connect there), `pytest_plugin` (all of it
for the tests of other projects).
"""

from postroad.lab.capture import SynWatch
from postroad.lab.certificate import AUTHORITY, CertificateKind, authority_file, lab_trust
from postroad.lab.control import ask_lab, attend_lab, control_socket, usual_socket
from postroad.lab.lab import Lab
from postroad.lab.nameserver import DnsFault, Nameserver, Order
from postroad.lab.namespace import has_ipv6, split_off
from postroad.lab.places import NoExchangerError
from postroad.lab.saving import MailFolder
from postroad.lab.sink import Habits, LabExchanger, Received
from postroad.words.faults import Fault, Mode, parse_fault

__all__ = [
    "AUTHORITY",
    "CertificateKind",
    "DnsFault",
    "Fault",
    "Habits",
    "Lab",
    "LabExchanger",
    "MailFolder",
    "Mode",
    "Nameserver",
    "NoExchangerError",
    "Order",
    "Received",
    "SynWatch",
    "ask_lab",
    "attend_lab",
    "authority_file",
    "control_socket",
    "has_ipv6",
    "lab_trust",
    "parse_fault",
    "split_off",
    "usual_socket",
]
