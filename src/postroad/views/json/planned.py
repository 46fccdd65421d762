"""What the JSON of the simulation is made of."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from postroad.views.json.dropped import DroppedJson
from postroad.views.json.recipients import RecipientsJson
from postroad.views.json.tls import StsPolicyJson


class StepJson(TypedDict):
    """A contact of an example."""

    exchange: str
    address: str
    preference: int
    met: str
    at_s: float
    waited_s: float


class ExampleJson(TypedDict):
    """One way a delivery may go."""

    chance: float
    odds: str
    result: str
    steps: list[StepJson]


class MeanJson(TypedDict):
    """A mean, and the most."""

    mean: float
    max: int


class DelayJson(TypedDict):
    """Seconds since the first attempt began."""

    mean: float
    worst: float


class QuestionsJson(TypedDict):
    """DNS questions a message."""

    mx: float
    a: float
    aaaa: float
    mean: float


class ForecastJson(TypedDict):
    """What a sender makes of the records; `unable` where it cannot use them."""

    sender: str
    dns_order: str
    down: dict[str, str]
    first: dict[str, float]
    accepted: dict[str, float]
    outcome: dict[str, float]
    attempts: MeanJson
    delay_s: DelayJson
    delivered_after_s: DelayJson | None
    dns_questions: QuestionsJson
    order_examples: list[ExampleJson]
    sampled: NotRequired[bool]
    unable: NotRequired[str]


class ServerJson(TypedDict):
    """An address."""

    address: str
    exchangers: list[str]
    preference: int


class MachineJson(TypedDict):
    """Addresses that are one machine."""

    addresses: list[str]
    exchangers: list[str]
    preference: int


class RangeJson(TypedDict):
    """The least and the largest."""

    low: float
    high: float


class RangesJson(TypedDict):
    """Over all weights that the mix may have."""

    first: dict[str, RangeJson]
    delivered: RangeJson


class MixJson(TypedDict):
    """Who sends how much."""

    name: str | None
    weights: dict[str, float]
    assumed: list[str]
    range: RangesJson
    delivered_after_s: DelayJson | None


class SurvivalJson(TypedDict):
    """The machines whose loss stops or delays a sender's mail."""

    sender: str
    stops: list[str]
    waits: list[str]
    surely: bool


class FateJson(TypedDict):
    """What machines share."""

    kind: str
    text: str


class ExchangerRefusalJson(TypedDict):
    """An exchanger that some senders do not use, their part of the mail, and the machines whose loss stops theirs."""

    exchange: str
    cause: str
    senders: list[str]
    part: RangeJson
    stops: list[str]
    waits: bool


class PublishedJson(TypedDict):
    """What the domain publishes of TLS: its policy, and the exchangers that have TLSA records; who refuses for it."""

    sts: StsPolicyJson | None
    tlsa: list[str]
    refusals: list[ExchangerRefusalJson]


class FaultJson(TypedDict):
    """What becomes of a sender's first attempt, and the longest wait in it."""

    outcome: dict[str, float]
    worst_s: float


class FaultsJson(TypedDict):
    """The busiest machine at fault in several ways: by fault, then by sender."""

    server: str
    by: dict[str, dict[str, FaultJson]]


class EstimateJson(TypedDict):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class TriesJson(EstimateJson):
    """The same, and the most."""

    max: int


class TrialDelayJson(TypedDict):
    """Seconds until delivery."""

    mean: EstimateJson
    p50: EstimateJson
    p99: EstimateJson
    worst: float


class TrialsJson(TypedDict):
    """Messages of a sender followed over all attempts."""

    sender: str
    messages: int
    seed: int
    first: dict[str, EstimateJson]
    accepted: dict[str, EstimateJson]
    outcome: dict[str, EstimateJson]
    tries: TriesJson
    contacts: EstimateJson
    delay_s: TrialDelayJson | None
    dns_questions: QuestionsJson | None
    sampled: bool
    unable: NotRequired[str]


class LeftOutJson(TypedDict):
    """What no sender can use, or none by the rules, and why there is no way at all, if so."""

    dropped: list[DroppedJson]
    refusal: str | None


class SimulateJson(LeftOutJson):
    """`postroad simulate --json`."""

    version: int
    domain: str
    results: list[ForecastJson]
    servers: list[ServerJson]
    machines: list[MachineJson]
    cut_sets: dict[str, list[list[str]]]
    mix: MixJson
    survival: list[SurvivalJson]
    lost: dict[str, dict[str, dict[str, float]]]
    faults: FaultsJson | None
    fates: list[FateJson]
    tls: PublishedJson | None
    trials: NotRequired[list[TrialsJson]]
    recipients: NotRequired[RecipientsJson]


class DnsJson(TypedDict):
    """DNS traffic a message."""

    questions: float
    octets: float


class CardJson(LeftOutJson):
    """A set of records in numbers."""

    name: str
    domain: str
    records: list[str]
    caveats: list[str]
    servers: list[ServerJson]
    machines: list[MachineJson]
    first: dict[str, float]
    by_sender: dict[str, dict[str, float]]
    delivered: float
    kept_with_one_lost: float
    caught_with_one_lost: float
    kept_with_one_network_lost: float
    delay_with_busiest_silent_s: float
    dns: DnsJson
    cut_sets: dict[str, list[list[str]]]
    fates: list[FateJson]
    tls: PublishedJson | None


class VerdictJson(TypedDict):
    """Who is best at a goal."""

    goal: str
    best: list[str]
    numbers: dict[str, str]


class DifferenceJson(TypedDict):
    """What a set changes against another."""

    before: str
    after: str
    gone: list[str]
    new: list[str]
    better: list[str]
    worse: list[str]
    summary: list[str]
    meaning: list[str]


class CompareJson(TypedDict):
    """`postroad compare --json`."""

    version: int
    sets: list[CardJson]
    verdicts: list[VerdictJson]
    differences: list[DifferenceJson]


class AnsweredQuestionJson(TypedDict):
    """A question, answered."""

    question: str
    answer: list[str]


class SetupsJson(CompareJson):
    """`postroad setups --json`."""

    answers: list[AnsweredQuestionJson]


class TroubleJson(TypedDict):
    """What `check` finds."""

    rule: str
    about: str
    severity: str
    is_error: bool
    seen: str


class EditJson(TypedDict):
    """Lines that go and come, and why."""

    why: str
    gone: list[str]
    new: list[str]


class AdviseJson(TypedDict):
    """`postroad advise --json`."""

    version: int
    domain: str
    headline: str
    change: bool
    troubles: list[TroubleJson]
    because: list[str]
    policy_lines: list[str]
    edits: list[EditJson]
    before: CardJson
    after: CardJson | None
    better: list[str]
    worse: list[str]
    summary: list[str]
    meaning: list[str]
    remarks: list[str]
