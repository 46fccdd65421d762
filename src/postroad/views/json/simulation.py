"""The JSON of the simulation: simulate, compare, setups, advise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from postroad.planning import (
    Advice,
    AnsweredQuestion,
    Comparison,
    Conditions,
    Difference,
    Machine,
    Records,
    Scorecard,
    Weight,
    shown,
)
from postroad.simulation import DeliveryWaits, Example, Forecast, Range
from postroad.simulation.trials import Estimate, Trials
from postroad.views.json.dropped import dropped_shape
from postroad.views.json.planned import (
    AdviseJson,
    AnsweredQuestionJson,
    CardJson,
    CompareJson,
    DelayJson,
    DifferenceJson,
    EstimateJson,
    ExampleJson,
    FaultJson,
    FaultsJson,
    ForecastJson,
    MachineJson,
    PublishedJson,
    RangeJson,
    RangesJson,
    ServerJson,
    SetupsJson,
    SimulateJson,
    TrialsJson,
)
from postroad.views.json.shape import VERSION
from postroad.views.json.tls import sts_policy_shape
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result

NEVER = Estimate(0.0, 0.0, 0.0)
NONE: Mapping[str, Trials] = {}
NOTHING: Mapping[Mode, Mapping[str, Forecast]] = {}


def simulate_shape(
    card: Scorecard,
    view: Conditions,
    faults: Mapping[Mode, Mapping[str, Forecast]] = NOTHING,
    tried: Mapping[str, Trials] = NONE,
) -> SimulateJson:
    """`postroad simulate --json`."""
    mix, records = view.mix.name, card.records
    shape: SimulateJson = {
        "version": VERSION,
        "domain": str(records.snapshot.domain),
        "dropped": [dropped_shape(drop) for drop in records.dropped],
        "refusal": records.refusal or None,
        "results": [forecast_shape(name, each, records) for name, each in card.whole.rows(mix).items()],
        "servers": _servers(records),
        "machines": _machines(records),
        "cut_sets": _cut_sets(card, mix),
        "mix": {
            "name": mix or None,
            "weights": {name: float(part) for name, part in view.mix.weights.items()},
            "assumed": list(view.mix.assumed),
            "range": _ranges(card, view),
            "delivered_after_s": _waits(card.whole.mix.taken),
        },
        "survival": [
            {
                "sender": each.sender,
                "stops": _texts(each.stops),
                "waits": _texts(each.waits),
                "surely": each.surely,
            }
            for each in card.survivals
        ],
        "lost": {
            str(address): {name: _outcomes(each) for name, each in forecasts.rows(mix).items()}
            for machine, forecasts in card.lost.items()
            for address in machine.addresses
        },
        "faults": _faults(card, faults),
        "fates": [{"kind": fate.kind, "text": fate.text} for fate in card.fates],
        "tls": _published(card),
    }
    if tried:
        shape["trials"] = [_trials(name, each) for name, each in tried.items()]
    return shape


def _published(card: Scorecard) -> PublishedJson | None:
    published = card.records.snapshot.published
    if published is None:
        return None
    sts = published.sts
    return {
        "sts": sts_policy_shape(sts) if sts else None,
        "tlsa": list(published.dane),
        "refusals": [
            {
                "exchange": each.exchange,
                "cause": each.cause.value,
                "senders": list(each.senders),
                "part": _range(each.part),
                "stops": _texts(each.stops),
                "waits": each.waits,
            }
            for each in card.refusals
        ],
    }


def _faults(card: Scorecard, faults: Mapping[Mode, Mapping[str, Forecast]]) -> FaultsJson | None:
    if card.busiest is None or not faults:
        return None
    by: dict[str, dict[str, FaultJson]] = {
        mode.value: {
            name: {"outcome": _outcomes(each), "worst_s": each.delay_worst_s}
            for name, each in forecasts.items()
            if not each.unable
        }
        for mode, forecasts in faults.items()
    }
    return {"server": ", ".join(map(shown, card.busiest.addresses)), "by": by}


def _ranges(card: Scorecard, view: Conditions) -> RangesJson:
    """The least and the largest of the figures of the mix, over all weights that it may have."""
    whole, mix = card.whole, view.mix
    addresses = dict.fromkeys(place.address for place in card.records.places)
    return {
        "first": {str(address): _range(mix.range(whole.first_by(address))) for address in addresses},
        "delivered": _range(mix.range(whole.delivered_by)),
    }


def _range(found: Range) -> RangeJson:
    return {"low": float(found.low), "high": float(found.high)}


def forecast_shape(sender: str, forecast: Forecast, records: Records) -> ForecastJson:
    """One forecast: shares are chances from 0 to 1, delays seconds; `sampled` and `unable` only where they are so."""
    questions = forecast.questions
    known = dict.fromkeys(place.address for place in records.places)
    shape: ForecastJson = {
        "sender": sender,
        "dns_order": forecast.case.dns_order.value,
        "down": {str(address): mode.value for address, mode in forecast.case.down.items()},
        "first": {str(address): float(forecast.first.get(address, 0)) for address in known},
        "accepted": {str(address): float(forecast.accepted.get(address, 0)) for address in known},
        "outcome": _outcomes(forecast),
        "attempts": {"mean": float(forecast.attempts_mean), "max": forecast.attempts_max},
        "delay_s": {"mean": forecast.delay_mean_s, "worst": forecast.delay_worst_s},
        "delivered_after_s": _waits(forecast.taken),
        "dns_questions": {
            "mx": float(questions.mx),
            "a": float(questions.a),
            "aaaa": float(questions.aaaa),
            "mean": float(questions.mean),
        },
        "order_examples": [_example(example) for example in forecast.examples],
    }
    if forecast.sampled:
        shape["sampled"] = True
    if forecast.unable:
        shape["unable"] = forecast.unable
    return shape


def _waits(taken: DeliveryWaits | None) -> DelayJson | None:
    """How long mail takes that gets through; None where none does."""
    return {"mean": taken.mean_s, "worst": taken.worst_s} if taken else None


def comparison_shape(comparison: Comparison) -> CompareJson:
    """`postroad compare --json`."""
    return {
        "version": VERSION,
        "sets": [_card(each) for each in comparison.cards],
        "verdicts": [
            {"goal": each.goal.value, "best": list(each.best), "numbers": dict(each.numbers)}
            for each in comparison.verdicts
        ],
        "differences": [_difference(each) for each in comparison.differences],
    }


def setups_shape(comparison: Comparison, answers: Sequence[AnsweredQuestion]) -> SetupsJson:
    """`postroad setups --json`."""
    told: list[AnsweredQuestionJson] = [{"question": each.question, "answer": list(each.answer)} for each in answers]
    return {**comparison_shape(comparison), "answers": told}


def advice_shape(advice: Advice) -> AdviseJson:
    """`postroad advise --json`."""
    return {
        "version": VERSION,
        "domain": str(advice.before.records.snapshot.domain),
        "headline": advice.headline,
        "change": advice.after is not None,
        "troubles": [
            {
                "rule": each.rule,
                "about": each.about,
                "severity": each.weight.value,
                "is_error": each.weight is Weight.ERROR,
                "seen": each.seen,
            }
            for each in advice.troubles
        ],
        "because": list(advice.because),
        "policy_lines": [f"mx: {name}" for name in advice.listed],
        "edits": [
            {"why": each.why, "gone": [str(line) for line in each.gone], "new": [str(line) for line in each.new]}
            for each in advice.edits
        ],
        "before": _card(advice.before),
        "after": _card(advice.after) if advice.after else None,
        "better": list(advice.proof.better) if advice.proof else [],
        "worse": list(advice.proof.worse) if advice.proof else [],
        "summary": list(advice.proof.summary) if advice.proof else [],
        "meaning": list(advice.proof.meaning) if advice.proof else [],
        "remarks": list(advice.remarks),
    }


def _trials(sender: str, each: Trials) -> TrialsJson:
    """Estimates with their 95 % intervals, of the whole life of messages."""
    delay = each.delay
    shape: TrialsJson = {
        "sender": sender,
        "messages": each.trial.workload.messages,
        "seed": each.seed,
        "first": {str(address): _estimate(share) for address, share in each.first.items()},
        "accepted": {str(address): _estimate(share) for address, share in each.accepted.items()},
        "outcome": {result.value: _estimate(each.outcome.get(result, NEVER)) for result in Result},
        "tries": {**_estimate(each.tries), "max": each.tries_max},
        "contacts": _estimate(each.contacts),
        "delay_s": {
            "mean": _estimate(delay.mean),
            "p50": _estimate(delay.p50),
            "p99": _estimate(delay.p99),
            "worst": delay.worst_s,
        }
        if delay
        else None,
        "dns_questions": {
            "mx": each.questions.mx,
            "a": each.questions.a,
            "aaaa": each.questions.aaaa,
            "mean": each.questions.mean,
        }
        if each.tries_max  # else nothing was tried, so that nobody counted what was asked
        else None,
        "sampled": each.sampled,
    }
    if each.unable:
        shape["unable"] = each.unable
    return shape


def _estimate(estimate: Estimate) -> EstimateJson:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _card(card: Scorecard) -> CardJson:
    records, marks = card.records, card.marks
    addresses = [address for machine in records.machines for address in machine.addresses]
    return {
        "name": card.name,
        "domain": str(records.snapshot.domain),
        "records": [str(line) for line in records.lines],
        "caveats": list(card.caveats),
        "dropped": [dropped_shape(drop) for drop in records.dropped],
        "refusal": records.refusal or None,
        "servers": _servers(records),
        "machines": _machines(records),
        "first": {shown(address): float(card.whole.mix.first.get(address, 0)) for address in addresses},
        "by_sender": {
            name: {shown(address): float(share) for address, share in each.first.items()}
            for name, each in card.whole.by.items()
        },
        "delivered": float(marks.delivered),
        "kept_with_one_lost": float(marks.kept),
        "caught_with_one_lost": float(marks.caught),
        "kept_with_one_network_lost": float(marks.kept_network),
        "delay_with_busiest_silent_s": marks.silence_s,
        "dns": {"questions": float(marks.questions), "octets": float(marks.octets)},
        "cut_sets": _cut_sets(card, ""),
        "fates": [{"kind": fate.kind, "text": fate.text} for fate in card.fates],
        "tls": _published(card),
    }


def _difference(difference: Difference) -> DifferenceJson:
    return {
        "before": difference.before,
        "after": difference.after,
        "gone": [str(line) for line in difference.gone],
        "new": [str(line) for line in difference.new],
        "better": list(difference.better),
        "worse": list(difference.worse),
        "summary": list(difference.summary),
        "meaning": list(difference.meaning),
    }


def _cut_sets(card: Scorecard, mix: str) -> dict[str, list[list[str]]]:
    """Every minimal set of machines whose loss stops all mail, by sender; for the mix, the mail of all its senders."""
    by = {each.sender: [_texts(each.stops)] if each.stops else [] for each in card.survivals}
    every = frozenset[Machine]().union(*(each.stops for each in card.survivals if card.mix.weights.get(each.sender)))
    return by | ({mix: [_texts(every)] if every else []} if mix else {})


def _machines(records: Records) -> list[MachineJson]:
    return [
        {
            "addresses": [shown(address) for address in machine.addresses],
            "exchangers": list(machine.exchangers),
            "preference": machine.preference,
        }
        for machine in records.machines
    ]


def _servers(records: Records) -> list[ServerJson]:
    """Each address once, with the names it stands behind and its best preference, which comes first."""
    names: dict[Address, list[str]] = {}
    best: dict[Address, int] = {}
    for place in records.places:
        names.setdefault(place.address, []).append(place.exchange)
        best.setdefault(place.address, place.preference)
    return [
        {"address": shown(address), "exchangers": list(dict.fromkeys(known)), "preference": best[address]}
        for address, known in names.items()
    ]


def _outcomes(forecast: Forecast) -> dict[str, float]:
    return {result.value: float(forecast.outcome.get(result, 0)) for result in Result}


def _example(example: Example) -> ExampleJson:
    return {
        "chance": float(example.chance),
        "odds": str(example.chance),
        "result": example.result.value,
        "steps": [
            {
                "exchange": step.exchange,
                "address": str(step.address),
                "preference": step.preference,
                "met": step.met.value,
                "at_s": step.at_s,
                "waited_s": step.waited_s,
            }
            for step in example.steps
        ],
    }


def _texts(machines: Iterable[Machine]) -> list[str]:
    """The addresses of some machines."""
    addresses = [address for machine in machines for address in machine.addresses]
    return [shown(address) for address in sorted(addresses, key=lambda each: (each.version, int(each)))]
