"""Paths are drawn from the graph that the exact forecast is worked out on: as often as it says, and no others."""

from collections import Counter, defaultdict
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some
from tests.support.plans import planned

from postroad.models import SCHEDULES
from postroad.simulation import SENDERS, Case, DnsOrder, forecast
from postroad.simulation.paths import every_way
from postroad.simulation.plans import NoWay, exchanges
from postroad.simulation.trials import Outage, Trial, Workload, ours, run
from postroad.simulation.trials.attempts import Starts
from postroad.simulation.trials.graph import RESULTS
from postroad.simulation.trials.places import MODES, Moment, number_places
from postroad.simulation.trials.play import drawn_from
from postroad.words.faults import Mode
from postroad.words.names import parse_address
from postroad.words.outcome import Result

DRAWN = 2000
ORDERS = (DnsOrder.FIXED, DnsOrder.ROTATE, DnsOrder.RANDOM)
FAULTS = [Mode.ACCEPT, *(mode for mode in Mode if mode not in (Mode.SLOW, Mode.TARPIT))]
ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")


@st.composite
def questions(draw):
    """Records of up to three exchangers, two of which may share an address; and what each address does."""
    lines, names = [], "abc"[: draw(st.integers(1, 3))]
    for name in names:
        lines.append(f"@ MX {draw(st.sampled_from((10, 10, 20)))} {name}")
        behind = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True))
        lines += [f"{name} {'AAAA' if ':' in address else 'A'} {address}" for address in behind]
    faults = {parse_address(address): draw(st.sampled_from(FAULTS)) for address in ADDRESSES}
    return planned("\n".join(lines) + "\n"), faults


def drawn_paths(trial, found, down):
    """Attempts of single messages by what they contacted, when, and how they ended."""
    places = number_places(found, trial.sender)
    begin, make = drawn_from(trial, places, found, 1)
    numbers = np.arange(DRAWN, dtype=np.uint64)
    moment = Moment(numbers, np.ones(DRAWN, np.int64), numbers, np.zeros(DRAWN, np.uint64), np.zeros(DRAWN))
    steps = defaultdict(list)

    def meet(row, place, at_s):
        for one, where, when in zip(row.tolist(), place.tolist(), at_s.tolist(), strict=True):
            steps[one].append((places.targets[where], round(when, 6)))
        modes = [MODES.index(down.get(places.targets[where].address, Mode.ACCEPT)) for where in place.tolist()]
        return places.met[place, modes]

    ended = make(Starts(begin(moment), moment.each_draw, np.zeros(DRAWN)), meet)
    return Counter((tuple(dict.fromkeys(steps[row])), RESULTS[code]) for row, code in enumerate(ended.result.tolist()))


def exact_paths(case, sender):
    """The same by their exact chances."""
    chances = Counter()
    for way in every_way(case, sender):
        steps = (((step.exchange, step.address, step.preference), round(step.at_s, 6)) for step in way.steps)
        chances[tuple(dict.fromkeys(steps)), way.result] += way.chance  # once more in clear is one step
    return chances


def surprise(drawn, chances):
    """Chi-square over the paths, rare ones together, as standard deviations above what chance explains."""
    rare = [path for path, chance in chances.items() if chance * DRAWN < 10]
    cells = [(drawn[path], float(chance) * DRAWN) for path, chance in chances.items() if path not in rare]
    if rare:
        cells.append((sum(drawn[path] for path in rare), float(sum(chances[path] for path in rare)) * DRAWN))
    freedom = max(len(cells) - 1, 1)
    total = sum((seen - due) ** 2 / due for seen, due in cells)
    return ((total / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / (2 / (9 * freedom)) ** 0.5  # Wilson and Hilferty


@given(question=questions(), name=st.sampled_from(sorted(SENDERS)), order=st.sampled_from(ORDERS))
@settings(max_examples=examples(36), suppress_health_check=[HealthCheck.too_slow])
def test_paths_are_those_of_the_exact_graph(question, name, order):
    """Contact by contact, with the time of each and the end: none that has no chance, each as often as its chance."""
    snapshot, down = question
    assume(not (SENDERS[name].caches_mx and order is not DnsOrder.FIXED))  # exact within one TTL only
    compare(Case(snapshot, name, order, down))


@given(
    question=questions(),
    modes=st.lists(st.sampled_from(list(Mode)), min_size=5, max_size=5),
    order=st.sampled_from(DnsOrder),
)
@settings(max_examples=examples(36), suppress_health_check=[HealthCheck.too_slow])
def test_our_own_paths_are_those_that_routing_walks(question, modes, order):
    """Under every fault, late ones too, where names share addresses, and whatever order DNS has."""
    down = dict(zip(map(parse_address, ADDRESSES), modes, strict=True))
    compare(Case(question[0], "postroad", order, down))


def compare(case):
    """Draw many attempts of a case, and hold them against the exact chances."""
    sender = SENDERS[case.sender]
    found = exchanges(case.snapshot, sender)
    assume(not isinstance(found, NoWay))
    chances = exact_paths(case, sender)
    drawn = Counter(
        {
            (tuple(((to.exchange, to.address, to.preference), at_s) for to, at_s in steps), result): count
            for (steps, result), count in drawn_paths(
                Trial(case.snapshot, sender, dns_order=case.dns_order), found, case.down
            ).items()
        }
    )
    assert set() == set(drawn) - set(chances)
    assert surprise(drawn, chances) < 5


@pytest.mark.parametrize("name", ["postfix", "exim", "sendmail", "chasquid", "rfc5321"])
def test_limits_hold_over_families(name):
    """One exchanger with four addresses of each family, of which one lives: Postfix finds it five times in eight."""
    records = "@ MX 10 m\n" + "".join(f"m A 192.0.2.{n}\nm AAAA 2001:db8::{n}\n" for n in range(1, 5))
    snapshot = planned(records)
    dead = [parse_address(text) for n in range(1, 5) for text in (f"192.0.2.{n}", f"2001:db8::{n}")][:-1]
    exact = forecast(Case(snapshot, name, down=dict.fromkeys(dead, Mode.REFUSE)), SENDERS[name])
    load, outages = Workload(5000), tuple(map(Outage, dead))
    tried = run(Trial(snapshot, SENDERS[name], load, outages=outages, schedule=SCHEDULES["none"]), 1)
    assert float(exact.outcome[Result.DELIVERED]) == pytest.approx(tried.outcome[Result.DELIVERED].value, abs=0.03)
    assert float(exact.attempts_mean) == pytest.approx(tried.contacts.value, abs=0.06)


@pytest.mark.parametrize("name", ["postfix", "rfc5321", "sendmail", "postroad"])
def test_many_servers_that_are_down_are_no_burden(name):
    """Forty addresses of twenty exchangers, half of them dead: nodes are counted by kind, not by order."""
    records = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\nm{n} AAAA 2001:db8::{n}\n" for n in range(1, 21))
    dead = [parse_address(text) for n in range(1, 11) for text in (f"192.0.2.{n}", f"2001:db8::{n}")]
    tried = run(Trial(planned(records), SENDERS[name], Workload(1000), outages=tuple(map(Outage, dead))), 1)
    assert 1.0 == pytest.approx(sum(share.value for share in tried.first.values()))
    assert 40 == len(tried.first)


def in_three_ways(number):
    """Equals of which one third refuses, one third is silent, and one third says 450."""
    modes = (Mode.REFUSE, Mode.BLACKHOLE, Mode.R450)
    records = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(1, number + 1))
    return planned(records), {parse_address(f"192.0.2.{n}"): modes[n % 3] for n in range(1, number + 1)}


def tried_in(snapshot, down, messages):
    """What becomes of first attempts of ours."""
    outages = tuple(Outage(address, mode) for address, mode in down.items())
    load = Workload(messages, sources=messages)
    return run(Trial(snapshot, SENDERS["postroad"], load, outages=outages, schedule=SCHEDULES["none"]), 1)


def test_of_too_many_plans_some_stand_for_all(monkeypatch):
    """Eighteen equals that are all down in three ways are asked 80 times: sampled, and not far from exact."""
    monkeypatch.setattr(ours, "MOST_NODES", 100)
    snapshot, down = in_three_ways(18)
    exact = forecast(Case(snapshot, "postroad", down=down), SENDERS["postroad"], examples=0)
    told = tried_in(snapshot, down, 500)
    assert told.sampled
    assert {Result.DEFERRED: 1.0} == {result: share.value for result, share in told.outcome.items() if share.value}
    assert float(exact.attempts_mean) == pytest.approx(told.contacts.value, rel=0.15)
    by_mode = Counter()
    for address, share in told.first.items():
        by_mode[down[address]] += share.value
    assert dict.fromkeys(down.values(), 1 / 3) == pytest.approx(by_mode, abs=0.07)


def test_few_plans_are_all_known():
    """Nine equals that are all down in three ways."""
    assert not tried_in(*in_three_ways(9), 500).sampled


def test_plans_that_stand_for_all_are_walked_as_all_are(monkeypatch):
    """As many plans as there are orders, of three equals: outcome, contacts and first ones are the exact ones.

    Of fifteen pairs of faults every eighth; all in a whole run.
    """
    monkeypatch.setattr(ours, "MOST_NODES", 1)
    monkeypatch.setattr(ours, "PLANS", 150)
    pairs = combinations_with_replacement((Mode.ACCEPT, Mode.BLACKHOLE, Mode.R450, Mode.SLOW, Mode.MUTE), 2)
    for modes in some(pairs, 8, 1):
        snapshot, down = in_three_ways(3)
        down |= dict(zip(down, modes, strict=False))
        exact = forecast(Case(snapshot, "postroad", down=down), SENDERS["postroad"], examples=0)
        told = tried_in(snapshot, down, 4000)
        assert told.sampled
        assert float(exact.attempts_mean) == pytest.approx(told.contacts.value, abs=0.25)
        for result in Result:
            assert float(exact.outcome[result]) == pytest.approx(told.outcome[result].value, abs=0.07)
        for address in down:
            assert float(exact.accepted.get(address, 0)) == pytest.approx(told.accepted[address].value, abs=0.07)
