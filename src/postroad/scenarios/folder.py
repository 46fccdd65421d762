"""A scenario as a folder of plain files: `zone`, `faults`, `certificates`, `policy`, `routes`, `send`, `expect`.

    zone     an RFC 1035 master file; exchangers live on 127.0.0.0/8
    faults   `127.0.0.11 blackhole`, one a line; without the file all is well
    certificates  `127.0.0.11 good`, one a line: who offers STARTTLS, and what is shown (`lab.CertificateKind`)
    policy   the MTA-STS policy of the recipients' domain, as mta-sts.DOMAIN has it
    routes   `[[route]]` tables as in the settings; without the file all mail goes where DNS says
    send     `from`, `to`, `seeds` and settings, one a line: what is sent, once for each seed
    expect   `1: 127.0.0.11 deferred at connect > 127.0.0.12 delivered => delivered`, one line for each seed; where
             refused mail takes another route, `=> failed; by ses: 127.0.0.21 delivered => delivered`

A line that begins with `#` is for the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from postroad.config import read
from postroad.files import read_text
from postroad.lab import CertificateKind
from postroad.routing import PROCEDURES, StaticRoute, WalkPolicy
from postroad.tls import Override, TlsMode
from postroad.words.faults import Fault, parse_fault
from postroad.words.inputs import InputError
from postroad.words.mail import Mailbox, domain_of, parse_mailbox
from postroad.words.names import Address, Unreadable, cut, parse_address
from postroad.words.outcome import Result
from postroad.words.trail import Attempt, Contact

SMTP_PORT = 25
_SEED = r"[0-9]{1,18}"
_SECONDS = (r"[0-9]{1,5}(\.[0-9]{1,6})?", "a number of seconds, from 0 to 99999")
_SETTINGS = {
    "from": (r".+", "an address"),
    "to": (r".+", "an address"),
    "seeds": (rf"{_SEED}(\s+{_SEED}){{0,999}}", "a seed: write whole numbers with spaces between, a thousand at most"),
    "procedure": ("|".join(PROCEDURES), f"a procedure; choose one of {', '.join(PROCEDURES)}"),
    "connect-timeout": _SECONDS,
    "stagger": _SECONDS,
    "level-stagger": _SECONDS,
    "greeting-patience": _SECONDS,
    "own": (r".+", "a name or an address of ours"),
    "tls": (f"yes|no|{'|'.join(TlsMode)}", f"an answer; write yes, no, or one of {', '.join(TlsMode)}"),
}
"""What `send` may say: how each value is written, and what a text that cannot be read is not."""


class ScenarioError(ValueError):
    """The error that a scenario folder cannot be read: the text says the file, the line and how to fix it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A folder with zone, faults, send and expect: one attempt told as a story.

    `expected` maps each seed to the line that must be seen.
    """

    name: str
    zone: Path
    sender: Mailbox
    recipients: tuple[Mailbox, ...]
    seeds: tuple[int, ...]
    expected: dict[int, str]
    faults: dict[Address, Fault] = field(default_factory=dict)
    walk: WalkPolicy = field(default_factory=WalkPolicy)
    procedure: str = "rfc5321"
    connect_timeout_s: float = 5.0
    certificates: dict[Address, CertificateKind] = field(default_factory=dict)
    policy: str = ""
    own: tuple[str, ...] = ()
    tls: TlsMode | None = None  # what our settings ask for; None: the lab offers no TLS, and none is used
    routes: tuple[tuple[StaticRoute, Override], ...] = ()

    def override_of(self, route: StaticRoute | None) -> Override:
        """What our settings ask of TLS on a route; None for no route."""
        usual = Override(self.tls or TlsMode.AUTO)
        return next((override for each, override in self.routes if each is route), usual)


def load_scenario(folder: Path) -> Scenario:
    """Read a scenario folder.

    Raises:
        ScenarioError: a file is missing, or a line in one cannot be read.

    """
    if not (folder / "zone").is_file():
        raise ScenarioError(
            f"{folder}: it has no file 'zone'; a scenario folder has zone, send, expect and maybe faults"
        )
    settings = _settings(folder / "send")
    if "to" not in settings:
        raise ScenarioError(f"{folder / 'send'}: no recipient; write a line `to user@example.com`")
    usual = WalkPolicy()
    walk = WalkPolicy(
        stagger_s=float(settings.get("stagger", usual.stagger_s)),
        level_stagger_s=float(settings.get("level-stagger", usual.level_stagger_s)),
        greeting_patience_s=float(settings.get("greeting-patience", usual.greeting_patience_s)),
    )
    certificates, policy = _certificates(folder / "certificates"), _policy(folder / "policy")
    tls = _tls(settings.get("tls", "auto" if certificates or policy else "no"))
    return Scenario(
        folder.name,
        folder / "zone",
        _mailbox(folder, settings.get("from", "sender@lab.invalid")),
        _recipients(folder, settings["to"].split()),
        tuple(int(seed) for seed in settings.get("seeds", "1").split()),
        _expected(folder / "expect"),
        _faults(folder / "faults"),
        walk,
        settings.get("procedure", "rfc5321"),
        float(settings.get("connect-timeout", "5")),
        certificates,
        policy,
        tuple(settings.get("own", "").split()),
        tls,
        _routes(folder / "routes", tls or TlsMode.AUTO),
    )


def story(attempt: Attempt) -> str:
    """An attempt as `expect` has it: each contact in order of start, then the results of the recipients.

    Times and texts are left out: they differ from run to run. What is left must not.
    """
    contacts = " > ".join(_told(contact) for contact in attempt.contacts) or "nobody was asked"
    results = [outcome.result.value for outcome in attempt.outcomes]
    return f"{contacts} => {' '.join(results)}"


def _told(contact: Contact) -> str:
    again = " in the clear" if contact.clear_again else ""
    at = "" if contact.word in (Result.DELIVERED, "unused") else f" at {contact.phase}"
    return f"{contact.target.address}{again} {contact.word}{at}"


def _settings(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in _lines(path):
        name, _, value = line.partition(" ")
        if name not in _SETTINGS or not value:
            known = ", ".join(_SETTINGS)
            raise ScenarioError(f"{path}:{number}: {line!r}: write one of {known}, a space and the value")
        expression, what = _SETTINGS[name]
        if not re.fullmatch(expression, value.strip()):
            raise ScenarioError(f"{path}:{number}: {cut(value)!r} is not {what}")
        if found.setdefault(name, value.strip()) != value.strip():
            raise ScenarioError(f"{path}:{number}: {name} is given twice, with different values")
    return found


def _expected(path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for number, line in _lines(path):
        seed, colon, told = line.partition(":")
        if not colon or not re.fullmatch(_SEED, seed):
            raise ScenarioError(f"{path}:{number}: {line!r}: write SEED: CONTACT > CONTACT => RESULT")
        if int(seed) in found:
            raise ScenarioError(f"{path}:{number}: seed {seed} already has an expectation")
        found[int(seed)] = " ".join(told.split())
    return found


def _faults(path: Path) -> dict[Address, Fault]:
    found: dict[Address, Fault] = {}
    for number, line in _lines(path) if path.exists() else ():
        where, _, what = line.partition(" ")
        address, fault = parse_address(where), parse_fault(what)
        if address is None:
            raise ScenarioError(f"{path}:{number}: {where!r} is not an IP address; write ADDRESS FAULT")
        if isinstance(fault, Unreadable):
            raise ScenarioError(f"{path}:{number}: {fault}")
        if found.setdefault(address, fault) != fault:
            raise ScenarioError(f"{path}:{number}: {address} has two faults, {found[address]} and {fault}")
    return found


def _tls(word: str) -> TlsMode | None:
    return None if word == "no" else TlsMode.AUTO if word == "yes" else TlsMode(word)


def _certificates(path: Path) -> dict[Address, CertificateKind]:
    found: dict[Address, CertificateKind] = {}
    for number, line in _lines(path) if path.exists() else ():
        where, _, what = line.partition(" ")
        address, kind = parse_address(where), what.strip()
        if address is None or kind not in set(CertificateKind):
            raise ScenarioError(
                f"{path}:{number}: {line!r}: write ADDRESS KIND, where KIND is one of {', '.join(CertificateKind)}"
            )
        if found.setdefault(address, CertificateKind(kind)) != kind:
            raise ScenarioError(f"{path}:{number}: {address} has two certificates, {found[address]} and {kind}")
    return found


def _policy(path: Path) -> str:
    text = read_text(path) if path.exists() else ""
    if isinstance(text, Unreadable):
        raise ScenarioError(f"{path}: {text.why}; write the MTA-STS policy of the recipients' domain")
    return text


def _routes(path: Path, usual: TlsMode) -> tuple[tuple[StaticRoute, Override], ...]:
    """The routes of a file; where they say port 25, that of the lab is meant."""
    text = read_text(path) if path.exists() else ""
    if isinstance(text, Unreadable):
        raise ScenarioError(f"{path}: {text.why}")
    try:
        config = read(text, path)
    except InputError as problem:
        raise ScenarioError(str(problem)) from None
    if other := config.model_fields_set - {"route"}:
        raise ScenarioError(f"{path}: {min(other)}: a scenario has no settings but [[route]] tables")
    return tuple(
        (_in_lab(table.static_route), Override(TlsMode(table.demand or usual), tuple(map(str, table.tls_names))))
        for table in config.route
    )


def _in_lab(route: StaticRoute) -> StaticRoute:
    hosts = tuple(replace(each, port=None) if each.port == SMTP_PORT else each for each in route.hosts)
    return replace(route, hosts=hosts)


def _recipients(folder: Path, texts: Sequence[str]) -> tuple[Mailbox, ...]:
    recipients = tuple(_mailbox(folder, text) for text in texts)
    if len({domain_of(each) for each in recipients}) > 1:
        raise ScenarioError(f"{folder / 'send'}: a scenario is one attempt: all its recipients must be in one domain")
    return recipients


def _mailbox(folder: Path, text: str) -> Mailbox:
    mailbox = parse_mailbox(text)
    if isinstance(mailbox, Unreadable):
        raise ScenarioError(f"{folder / 'send'}: {mailbox}")
    return mailbox


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    text = read_text(path)
    if isinstance(text, Unreadable):
        raise ScenarioError(f"{path}: {text.why}; a scenario folder has zone, send and expect")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()
