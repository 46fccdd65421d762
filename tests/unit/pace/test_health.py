"""The health of addresses: penalties, one probe, recovery."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.support.examples import examples, stride

from postroad.pace import Health, HealthNews, HealthPolicy, Hearsay
from postroad.words.trail import Target

A = ip_address("192.0.2.1")
B = ip_address("2001:db8::1")


def failing(*times, address=A, policy=None):
    """An address that failed at these times."""
    health = Health(policy)
    for now in times:
        health.failed(address, now)
    return health


def test_unknown_address_is_well():
    """Nothing is held against an address nobody knows."""
    health = Health()
    assert health.is_healthy(A, 0.0)
    assert () == health.due_probes(0.0)
    assert health.next_probe_at(0.0) is None


def test_failure_is_penalised_for_half_a_minute():
    """One failure: unhealthy, and to be probed 30 s later."""
    health = failing(100.0)
    assert not health.is_healthy(A, 100.0)
    assert 130.0 == health.next_probe_at(100.0)
    assert () == health.due_probes(129.9)
    assert (A,) == health.due_probes(130.0)
    assert health.next_probe_at(130.0) is None


def test_penalties_double_up_to_a_quarter_of_an_hour():
    """Each failure after a penalty doubles the next one; they stop at 15 minutes."""
    health, now, penalties = Health(), 0.0, []
    for _ in range(7):
        health.failed(A, now)
        until = health.next_probe_at(now)
        penalties.append(until - now)
        now = until
    assert [30, 60, 120, 240, 480, 900, 900] == penalties


def test_deliveries_that_fail_together_are_one_failure():
    """Twenty connections that time out within one penalty do not escalate it."""
    assert 30.0 == failing(*(second / 10 for second in range(20))).next_probe_at(2.0)


def test_penalty_that_ran_out_does_not_make_well():
    """Until a probe has come back the address stays unhealthy: no delivery but the probe waits for it."""
    assert not failing(0.0).is_healthy(A, 31.0)


def test_probe_that_succeeds_makes_well():
    """The probe's success clears everything, and says that mail may be woken."""
    health = failing(0.0)
    health.probing(A)
    assert health.succeeded(A, 31.0)
    assert health.is_healthy(A, 31.0)
    assert not health.succeeded(A, 32.0)


def test_probe_that_fails_waits_twice_as_long():
    """The probe's failure is a failure, and the next probe comes after the next penalty."""
    health = failing(0.0)
    health.probing(A)
    assert () == health.due_probes(31.0)
    health.failed(A, 31.0)
    assert 91.0 == health.next_probe_at(31.0)
    assert (A,) == health.due_probes(91.0)


def test_who_knows_better_has_all_probed_now():
    """However long the penalty has grown; whoever fails again begins with the first one."""
    health = failing(0.0, 30.0, 90.0, 210.0)
    health.hasten(220.0)
    assert (A,) == health.due_probes(220.0)
    health.failed(A, 221.0)
    assert 251.0 == health.next_probe_at(221.0)


def test_probe_that_never_asked_leaves_its_place_to_the_next():
    """A delivery that was cancelled before it connected has not probed."""
    health = failing(0.0)
    health.probing(A)
    health.abandoned(A)
    assert (A,) == health.due_probes(30.0)


def test_success_of_another_delivery_ends_a_penalty():
    """A connection opened before the failure may still greet: the host is well."""
    health = failing(0.0)
    assert health.succeeded(A, 1.0)
    assert health.is_healthy(A, 1.0)


def test_failures_are_forgotten_after_an_hour():
    """An hour after its last failure the address is as good as a new one, and its next penalty is the first."""
    health = failing(0.0, 30.0)
    assert not health.is_healthy(A, 3629.0)
    assert health.is_healthy(A, 3630.0)
    assert () == health.due_probes(3630.0)
    assert not health.succeeded(A, 3630.0)
    health.failed(A, 3630.0)
    assert 3660.0 == health.next_probe_at(3630.0)


def test_memory_is_bounded():
    """Of more unhealthy addresses than are remembered, the one longest without a failure is forgotten."""
    health = Health(HealthPolicy(most=2))
    one, two, three = (ip_address(f"192.0.2.{last}") for last in (1, 2, 3))
    for now, address in enumerate((one, two, one, three)):
        health.failed(address, float(now))
    healthy = [health.is_healthy(address, 4.0) for address in (one, two, three)]
    assert (2, [False, True, False]) == (len(health), healthy)


def test_ill_targets_come_after_well_ones():
    """The order drawn is kept among the well and among the unhealthy."""
    targets = tuple(Target(name, ip_address(f"192.0.2.{last}"), 10) for last, name in enumerate("abcd", 1))
    health = failing(0.0)
    health.failed(targets[2].address, 0.0)
    a, b, c, d = targets
    assert ((b, d), (a, c)) == health.arrange(targets, 1.0)


def test_unknown_addresses_are_not_probed():
    """Marking or unmarking an address that is well changes nothing."""
    health = Health()
    health.probing(B)
    health.abandoned(B)
    assert health.is_healthy(B, 0.0)


@pytest.mark.parametrize("figures", [{"first_penalty_s": 0}, {"forget_after_s": 60}, {"factor": 0.9}, {"most": 0}])
def test_figures_that_make_no_policy_are_refused(figures):
    """A penalty that outlasts the memory of it, or shrinks, is a mistake of the caller."""
    with pytest.raises(ValueError, match=r"stand in this order|1 or more"):
        HealthPolicy(**figures)


class Probing(RuleBasedStateMachine):
    """Deliveries fail, succeed and probe in any order: never two probes of one address, never a penalty too long."""

    def __init__(self):
        super().__init__()
        self.health = Health(HealthPolicy(most=3))
        self.now = 0.0
        self.under_way = set()

    addresses = st.sampled_from([ip_address(f"192.0.2.{last}") for last in range(1, 6)])

    @rule(seconds=st.floats(0, 2000))
    def wait(self, seconds):
        """Time passes."""
        self.now += seconds

    @rule(address=addresses)
    def fail(self, address):
        """Somebody fails there."""
        self.health.failed(address, self.now)
        self.under_way.discard(address)
        assert not self.health.is_healthy(address, self.now)

    @rule(address=addresses)
    def succeed(self, address):
        """Somebody is greeted there."""
        unhealthy = not self.health.is_healthy(address, self.now)
        assert unhealthy == self.health.succeeded(address, self.now)
        self.under_way.discard(address)
        assert self.health.is_healthy(address, self.now)

    @rule()
    def probe(self):
        """Whoever is due is probed."""
        for address in self.health.due_probes(self.now):
            assert address not in self.under_way
            self.health.probing(address)
            self.under_way.add(address)
        assert self.health.due_probes(self.now) == ()

    @invariant()
    def probes_are_of_unhealthy_addresses(self):
        """What is forgotten is no longer being probed; what is due is unhealthy, and its penalty out."""
        assert (len(self.health) > 0) == self.health.is_any_unhealthy  # first: what is asked below looks anew
        self.under_way = {address for address in self.under_way if not self.health.is_healthy(address, self.now)}
        for address in self.health.due_probes(self.now):
            assert not self.health.is_healthy(address, self.now)
        following = self.health.next_probe_at(self.now)
        assert following is None or self.now < following <= self.now + 900
        assert len(self.health) <= 3


TestProbing = Probing.TestCase
TestProbing.settings = settings(max_examples=examples(100) // stride(2))


def test_figures_at_their_limits_make_a_policy():
    """A penalty below a second; one penalty for ever, as long as the memory of it, of one address."""
    assert 0.5 == failing(0.0, policy=HealthPolicy(first_penalty_s=0.5)).next_probe_at(0.0)
    policy = HealthPolicy(first_penalty_s=60, factor=1, longest_penalty_s=60, forget_after_s=60, most=1)
    assert 120.0 == failing(0.0, 60.0, policy=policy).next_probe_at(60.0)


def test_who_failed_later_is_remembered_longer():
    """What is forgotten is the oldest failure, with all others as they were."""
    health = failing(0.0)
    health.failed(B, 1000.0)
    health.failed(ip_address("192.0.2.9"), 3601.0)
    assert (2, True, False) == (len(health), health.is_healthy(A, 3601.0), health.is_healthy(B, 3601.0))


def test_what_failed_elsewhere_has_the_first_penalty_here():
    """Nobody here need find it out again; a probe of our own says how it is."""
    health = Health()
    assert health.heard_failed(A, 0.0)
    assert (False, True) == (health.is_healthy(A, 29.0), health.is_healthy(B, 0.0))
    assert ((), (A,)) == (health.due_probes(29.9), health.due_probes(30.0))


def test_what_answers_elsewhere_again_is_healthy_if_hearsay_was_all_there_was():
    """What failed here is probed at once instead: it has to answer here."""
    health = failing(0.0, 30.0, 90.0)
    health.heard_failed(B, 90.0)
    assert (False, True) == (health.heard_recovered(A, 100.0), health.heard_recovered(B, 100.0))
    assert (False, True) == (health.is_healthy(A, 100.0), health.is_healthy(B, 100.0))
    assert (A,) == health.due_probes(100.0)
    assert not health.heard_recovered(ip_address("192.0.2.99"), 100.0)


def test_hearsay_that_was_found_wrong_is_not_believed_again_until_it_fails_here():
    """The other one is on another network. Whatever it says, it says of that."""
    health = Health()
    health.heard_failed(A, 0.0)
    assert health.succeeded(A, 30.0)
    assert not health.heard_failed(A, 31.0)
    health.failed(A, 40.0)
    health.succeeded(A, 70.0)
    assert health.heard_failed(A, 80.0)


def test_what_was_found_wrong_is_remembered_of_as_many_as_fail():
    """Of more addresses than are remembered, the one found wrong longest ago is believed of again."""
    health = Health(HealthPolicy(most=2))
    addresses = [ip_address(f"192.0.2.{last}") for last in range(3)]
    for address in addresses:
        health.heard_failed(address, 0.0)
        health.succeeded(address, 1.0)
    assert [True, False, False] == [health.heard_failed(address, 2.0) for address in addresses]


def test_word_of_a_failure_outlasts_the_longest_penalty_by_a_quarter():
    """The probe after it has had its time to fail."""
    assert 1125.0 == HealthPolicy().told_s


def test_order_drawn_is_kept_where_all_are_well():
    """Nothing is held against any, and none comes after the others."""
    targets = tuple(Target(name, ip_address(f"192.0.2.{last}"), 10) for last, name in enumerate("abcd", 1))
    assert (targets, ()) == Health().arrange(targets, 1.0)


def test_only_what_failed_here_lately_is_worth_telling():
    """Neither what was heard, nor what is older than the longest penalty and its probe; and not too many."""
    policy = HealthPolicy(most_told=2)
    health = Health(policy)
    health.heard_failed(ip_address("192.0.2.10"), 0.0)
    for number in range(4):
        health.failed(ip_address(f"192.0.2.{number}"), float(number))
    last = {ip_address("192.0.2.3"): 3.0, ip_address("192.0.2.2"): 2.0}
    assert last == health.worth_telling(10.0)
    assert {ip_address("192.0.2.3"): 3.0} == health.worth_telling(2.0 + policy.told_s)


def test_only_what_is_new_is_heard():
    """A relay that says the same again says nothing; word that ends by its age, as that of a dead one, says nothing."""
    heard = Hearsay(100.0)
    assert HealthNews({A: "one"}, {}) == heard.compare({("one", A): 1000.0}, 1000.0)
    assert HealthNews({B: "two"}, {}) == heard.compare({("one", A): 1000.0, ("two", B): 1010.0}, 1010.0)
    assert HealthNews({}, {B: "two"}) == heard.compare({("one", A): 1000.0}, 1020.0)
    assert HealthNews({}, {}) == heard.compare({("one", A): 1000.0}, 1100.0)
    assert HealthNews({}, {}) == heard.compare({}, 1110.0)
    assert HealthNews({A: "one"}, {}) == heard.compare({("one", A): 1111.0}, 1111.0)


def test_word_of_a_failure_is_no_longer_good_at_its_age():
    """One taken back at that second ended by its age, and says nothing."""
    heard = Hearsay(100.0)
    heard.compare({("one", A): 1000.0}, 1000.0)
    assert HealthNews({}, {}) == heard.compare({}, 1100.0)


class Relays:
    """Two relays that see one address each in its own way, and tell each other what fails."""

    def __init__(self, answers):
        self.answers = answers
        self.health = [Health(), Health()]
        self.heard = [Hearsay(HealthPolicy().told_s), Hearsay(HealthPolicy().told_s)]
        self.knows = [False, False]  # who has had an answer where the other one said there is none
        self.turns = [0, 0]  # how often each has lost what it knew to answer, or gained what it cannot reach
        self.now = 0.0

    def deliver(self, it):
        """A contact, if it is healthy or due for a probe."""
        health, now = self.health[it], self.now
        if health.is_healthy(A, now) or A in health.due_probes(now):
            if self.answers[it]:
                self.knows[it] |= health.succeeded(A, now)
            else:
                health.failed(A, now)

    def listen(self, it):
        """Hear what the other says now."""
        other = 1 - it
        said = {(str(other), address): at for address, at in self.health[other].worth_telling(self.now).items()}
        new = self.heard[it].compare(said, self.now)
        for address in new.failed:
            self.turns[it] += self.health[it].heard_failed(address, self.now) and self.knows[it]
        for address in new.recovered:
            self.turns[it] += self.health[it].heard_recovered(address, self.now) and not self.answers[it]


STEPS = st.lists(
    st.tuples(st.sampled_from(["deliver", "listen"]), st.integers(0, 1), st.floats(0, 2000)), min_size=1, max_size=60
)


@given(answers=st.tuples(st.booleans(), st.booleans()), steps=STEPS)
def test_relays_on_different_networks_do_not_make_each_other_flap(answers, steps):
    """Whatever they do when: who found the other wrong once is never misled again, and nobody gains what is dead."""
    relays = Relays(answers)
    for step, it, passed in steps:
        relays.now += passed
        getattr(relays, step)(it)
    assert [0, 0] == relays.turns


@given(steps=STEPS, recovers=st.integers(0, 60))
def test_relays_that_see_the_same_agree_in_the_end(steps, recovers):
    """After a host is back, both find it healthy within one hearing and one probe each, whatever was before."""
    relays = Relays([False, False])
    for number, (step, it, passed) in enumerate(steps):
        relays.answers = [number >= recovers] * 2
        relays.now += passed
        getattr(relays, step)(it)
    relays.answers = [True, True]
    relays.now += 901.0
    relays.deliver(0)
    relays.listen(1)
    relays.deliver(1)
    assert all(health.is_healthy(A, relays.now) for health in relays.health)
