"""The results of `demo` and `lab` as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from postroad.lab import Lab, Received, authority_file
from postroad.scenarios import ClusterRun, DemoRun, ScenarioRun
from postroad.views.json.attempt import AttemptJson, attempt_shape
from postroad.views.json.shape import VERSION
from postroad.views.text.arrivals import fields, subject
from postroad.words.faults import MEANINGS


class SceneServerJson(TypedDict):
    """An exchanger's part of first contacts, as expected and as seen."""

    address: str
    fixed_order: float
    expected: float
    seen: float | None
    after: float | None


class SetupJson(TypedDict):
    """One reference set-up, tried out."""

    setup: str
    title: str
    sent: int
    delivered: int
    lost: int
    killed: str
    added_ms: float
    servers: list[SceneServerJson]


class DemoJson(TypedDict):
    """`postroad demo --json`."""

    version: int
    setups: list[SetupJson]


class ClusterNodeJson(TypedDict):
    """A relay of the cluster: what clients gave it, and what it delivered."""

    node: str
    state: str
    accepted: int
    delivered: int


class ClusterJson(TypedDict):
    """`postroad demo --cluster --json`.

    `taken_over` are the parcels that the killed relay held, `takeover_s` is how long after the kill they were free,
    `lease_s` how long its lease went on.
    """

    version: int
    database: str
    nodes: list[ClusterNodeJson]
    accepted: int
    delivered: int
    twice: int
    lost: int
    killed: str | None
    taken_over: int
    takeover_s: float | None
    lease_s: float


class TakeJson(TypedDict):
    """A scenario played once."""

    seed: int
    expected: str
    rehearsed: str
    performed: str
    forecast: str
    agrees: bool
    attempt: AttemptJson


class ScenarioJson(TypedDict):
    """A scenario."""

    name: str
    agrees: bool
    takes: list[TakeJson]


class LabJson(TypedDict):
    """`postroad lab run --json`."""

    version: int
    scenarios: list[ScenarioJson]


class LabUpJson(TypedDict):
    """`postroad lab up --json`: its first line; each further one is an event.

    `authority` is the file of the authority that has signed the certificates, `https_port` that of MTA-STS policies.
    """

    version: int
    resolver: str
    port: int
    exchangers: dict[str, str]
    moved: dict[str, str]
    certificates: dict[str, str]
    https_port: int | None
    authority: str | None
    control: str


class ArrivalJson(TypedDict):
    """`postroad lab up --show --json`: a message that an exchanger took, as the event `lab.message`.

    `header` is there with --verbose: the fields of the message, in their order.
    """

    event: str
    at: float
    exchanger: str
    address: str
    client: str
    client_name: str
    tls: str | None
    sender: str
    recipients: list[str]
    size: int
    subject: str
    file: str | None
    header: NotRequired[list[HeaderFieldJson]]


class HeaderFieldJson(TypedDict):
    """A field of a message's header."""

    name: str
    value: str


class FaultyJson(TypedDict):
    """An exchanger of a lab: its first name, its address, the same as the zone has it, and its fault."""

    name: str | None
    address: str
    written: str
    fault: str


class LabFaultsJson(TypedDict):
    """`postroad lab faults --json`, and `lab fault`, where `changed` has the addresses that were changed."""

    version: int
    resolver: str
    port: int
    exchangers: list[FaultyJson]
    changed: list[str]


class FaultWordsJson(TypedDict):
    """`postroad lab faults --words --json`: what an exchanger with each fault does."""

    version: int
    faults: dict[str, str]


def demo_shape(acts: Iterable[DemoRun]) -> DemoJson:
    """`postroad demo --json`."""
    return {"version": VERSION, "setups": [_act(act) for act in acts]}


def lab_shape(played: Iterable[tuple[str, tuple[ScenarioRun, ...]]]) -> LabJson:
    """`postroad lab run --json`."""
    return {"version": VERSION, "scenarios": [_scenario(name, takes) for name, takes in played]}


def arrival_shape(received: Received, exchanger: str, file: Path | None, *, header: bool) -> ArrivalJson:
    """`postroad lab up --show --json`: one line of it."""
    shape: ArrivalJson = {
        "event": "lab.message",
        "at": received.at,
        "exchanger": exchanger,
        "address": str(received.address),
        "client": str(received.peer),
        "client_name": received.client_name,
        "tls": received.tls,
        "sender": str(received.envelope.reverse_path or ""),
        "recipients": [str(each.mailbox) for each in received.envelope.recipients],
        "size": len(received.content),
        "subject": subject(received.content),
        "file": str(file) if file else None,
    }
    if header:
        shape["header"] = [{"name": name, "value": value} for name, value in fields(received.content)]
    return shape


def faults_shape(answer: Mapping[str, Any]) -> LabFaultsJson:
    """`postroad lab faults --json`, and `lab fault`: what a lab has answered."""
    return {
        "version": VERSION,
        "resolver": answer["resolver"],
        "port": answer["port"],
        "exchangers": answer["exchangers"],
        "changed": answer["changed"],
    }


def words_shape() -> FaultWordsJson:
    """`postroad lab faults --words --json`."""
    return {"version": VERSION, "faults": {mode.value: meaning for mode, meaning in MEANINGS.items()}}


def up_shape(lab: Lab, control: Path) -> LabUpJson:
    """`postroad lab up --json`: its first line; the events follow, one a line."""
    host, dns_port = lab.resolver_address
    return {
        "version": VERSION,
        "resolver": f"{host}:{dns_port}",
        "port": lab.port,
        "exchangers": {str(address): str(each.fault) for address, each in lab.exchangers.items()},
        "moved": {str(written): str(place) for written, place in lab.moved.items()},
        "certificates": {str(address): kind.value for address, kind in lab.certificates.items()},
        "https_port": lab.web.port or None,
        "authority": str(authority_file()) if lab.certificates or lab.web.port else None,
        "control": str(control),
    }


def cluster_shape(run: ClusterRun) -> ClusterJson:
    """`postroad demo --cluster --json`."""
    return {
        "version": VERSION,
        "database": run.database,
        "nodes": [
            {"node": each.name, "state": each.state.value, "accepted": each.accepted, "delivered": each.delivered}
            for each in run.nodes
        ],
        "accepted": len(run.accepted),
        "delivered": run.delivered,
        "twice": run.twice,
        "lost": run.lost,
        "killed": run.dead.name if run.dead else None,
        "taken_over": run.taken_over,
        "takeover_s": run.takeover_s,
        "lease_s": run.lease_s,
    }


def _act(act: DemoRun) -> SetupJson:
    healthy, after = sum(act.first.values()), sum(act.after.values())
    return {
        "setup": act.name,
        "title": act.title,
        "sent": act.sent,
        "delivered": act.delivered,
        "lost": act.lost,
        "killed": str(act.killed),
        "added_ms": round(act.added_ms, 1),
        "servers": [
            {
                "address": str(address),
                "fixed_order": float(act.strict[address]),
                "expected": float(expected),
                "seen": act.first[address] / healthy if healthy else None,
                "after": act.after[address] / after if after else None,
            }
            for address, expected in act.expected.items()
        ],
    }


def _scenario(name: str, takes: tuple[ScenarioRun, ...]) -> ScenarioJson:
    return {
        "name": name,
        "agrees": all(take.agrees for take in takes),
        "takes": [
            {
                "seed": take.seed,
                "expected": take.expected,
                "rehearsed": take.rehearsed,
                "performed": take.performed,
                "forecast": take.forecast,
                "agrees": take.agrees,
                "attempt": attempt_shape(take.attempt),
            }
            for take in takes
        ],
    }
