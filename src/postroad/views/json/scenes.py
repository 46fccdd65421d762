"""The results of `demo` and `lab` as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from postroad.lab import Lab, Received, authority_file
from postroad.scenarios import ClusterRun, DemoRun, ModelLikeness, ScenarioRun, SenderTrial, Tried
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


class TriedContactJson(TypedDict):
    """A contact: the address, by its number in the situation, and the seconds since the first."""

    address: str
    at_s: float


class TriedJson(TypedDict):
    """A message of a situation: its contacts, how it ended (null: it had not, at the limit), who took it.

    `asked` are the DNS questions by type, those for the domain's own addresses as "domain A", and the number of "hosts"
    whose addresses were asked for. `status` is the exit
    status of the command, null where it had not ended.
    """

    contacts: list[TriedContactJson]
    result: str | None
    taker: str | None
    asked: dict[str, int]
    asked_tls: bool
    status: int | None


class SituationJson(TypedDict):
    """A reference situation: MX records with the numbers of their addresses, faults by these, and its messages."""

    name: str
    about: str
    hosts: list[SituationHostJson]
    faults: dict[str, str]
    messages: list[TriedJson]


class SituationHostJson(TypedDict):
    """An MX record of a situation."""

    preference: int
    name: str
    addresses: list[str]


class ModelDifferenceJson(TypedDict):
    """What a model does otherwise."""

    situation: str
    seen: str
    model: str


class LikenessJson(TypedDict):
    """A known sender beside what was seen: of so many messages it explains so many."""

    sender: str
    explained: int
    messages: int
    log_likelihood: float
    differences: list[ModelDifferenceJson]


class TrialJson(TypedDict):
    """`postroad lab try --json`: what was seen, the known senders (the nearest first), and the sender's file.

    `unsure` are fields that are commented out there because another value, this one, explains all as well.
    """

    version: int
    command: list[str]
    situations: list[SituationJson]
    nearest: list[LikenessJson]
    unsure: dict[str, str]
    file: str


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


def trial_shape(trial: SenderTrial) -> TrialJson:
    """`postroad lab try --json`."""
    return {
        "version": VERSION,
        "command": list(trial.command),
        "situations": [_situation(trial.seen.of(name)) for name in trial.seen.snapshots],
        "nearest": [_likeness(each) for each in trial.nearest],
        "unsure": dict(trial.unsure),
        "file": trial.file,
    }


def _situation(rows: list[Tried]) -> SituationJson:
    situation = rows[0].situation
    return {
        "name": situation.name,
        "about": situation.about,
        "hosts": [
            {"preference": preference, "name": name, "addresses": numbers.split()}
            for preference, name, numbers in situation.hosts
        ],
        "faults": {number: mode.value for number, mode in situation.faults.items()},
        "messages": [
            {
                "contacts": [
                    {"address": number, "at_s": at_s} for number, at_s in zip(each.steps, each.at_s, strict=True)
                ],
                "result": each.result.value if each.result else None,
                "taker": each.taker,
                "asked": dict(each.asked),
                "asked_tls": each.asked_tls,
                "status": each.status,
            }
            for each in rows
        ],
    }


def _likeness(each: ModelLikeness) -> LikenessJson:
    return {
        "sender": each.sender,
        "explained": each.explained,
        "messages": each.tried,
        "log_likelihood": each.log_likelihood,
        "differences": [
            {"situation": other.situation, "seen": other.seen, "model": other.model} for other in each.differences
        ],
    }
