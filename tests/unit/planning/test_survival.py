"""What survives: which losses stop a sender's mail, and which make some of it wait."""

from fractions import Fraction
from itertools import combinations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.plans import T1, T3, T4, at, listed, only, records

from postroad.models import read_sender
from postroad.models.model import ENDS, FaultPhase, Then
from postroad.planning.fates import fates
from postroad.planning.mix import Conditions, Mix
from postroad.planning.survival import Loss, Survival, losses, survive
from postroad.simulation import DnsOrder
from postroad.words.faults import Mode
from postroad.words.outcome import Result


def _survival(zone, *lists):
    known = records(zone)
    return survive("listed", known, listed(known.snapshot, *lists))


def _addresses(lost):
    return frozenset(address for machine in lost for address in machine.addresses)


def test_who_tries_all_is_stopped_by_the_loss_of_all():
    """A sender that tries every server loses mail only when all are gone."""
    found = _survival(T1, (11, 12), (12, 11))
    assert (at(11, 12), at(11, 12), True) == (_addresses(found.stops), _addresses(found.waits), found.surely)


def test_who_tries_one_of_two_waits_when_either_is_lost():
    """A sender that tries one server a time: the loss of one makes half the mail wait, that of both stops it."""
    found = _survival(T1, (11,), (12,))
    assert (at(11, 12), 1) == (_addresses(found.stops), len(found.waits))


def test_of_losses_that_are_as_small_the_one_of_the_lowest_address_is_told():
    """Not now this, now that, as it happens to stand first in a set: the same question has the same answer."""
    zone = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(11, 19)) + "m18 AAAA 2001:db8::18\n"
    assert at(11) == _addresses(_survival(zone, *((n,) for n in range(18, 10, -1))).waits)


def test_who_knows_only_the_first_is_stopped_by_its_loss():
    """What is never tried does not help."""
    found = _survival(T1, (11,))
    assert (at(11), at(11)) == (_addresses(found.stops), _addresses(found.waits))


def test_one_address_under_two_names_is_lost_at_once():
    """Four names behind two machines: it takes the loss of two, not of four."""
    found = _survival(T4, (11, 12), (12, 11))
    assert (2, at(11, 12)) == (len(found.stops), _addresses(found.stops))


def test_both_families_of_a_machine_are_lost_at_once():
    """Who tries both addresses of a machine has tried one machine: its loss stops the mail."""
    found = _survival("@ MX 10 a\na A 192.0.2.11\na AAAA 2001:db8::11\n", (11,))
    assert (1, 1) == (len(found.stops), len(found.waits))


def test_a_limit_of_five_in_a_hundred_is_found_without_trying_all_sets():
    """Of a hundred servers five are tried in turn from anywhere: five losses make mail wait, all hundred stop it."""
    zone = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(1, 101))
    ways = [tuple((start + step) % 100 + 1 for step in range(5)) for start in range(100)]
    found = _survival(zone, *ways)
    assert (100, 5) == (len(found.stops), len(found.waits))


def test_no_way_means_nothing_can_be_lost():
    """Where no server ever accepts there is no set."""
    found = _survival(T1, ())
    assert (frozenset(), frozenset()) == (found.stops, found.waits)


def test_a_loss_names_everyone_it_stops():
    """In a mix each set tells which senders it stops, and their weight."""
    one, other = map(frozenset, zip(records(T1).machines, strict=True))
    first, every = Survival("first", one, one), Survival("every", one | other, one | other)
    weights = {"first": Fraction(1, 4), "every": Fraction(3, 4)}
    expected = (Loss(one, ("first",), Fraction(1, 4)), Loss(one | other, ("every", "first"), Fraction(1)))
    assert expected == losses([every, first], weights)


@settings(max_examples=examples(40))
@given(
    st.lists(
        st.permutations([11, 12, 13, 14]).flatmap(lambda way: st.integers(1, 4).map(lambda n: way[:n])),
        min_size=1,
        max_size=4,
    )
)
@example([[11, 12, 13], [14, 12]])
def test_agrees_with_trying_every_subset(ways):
    """Reasoning finds what losing every set of machines finds: the one minimal stop, and the smallest wait."""
    known = records("".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in (11, 12, 13, 14)))
    _holds_for_every_subset(known, listed(known.snapshot, *ways))


HOST = st.tuples(
    st.sampled_from([10, 20]), st.sets(st.integers(1, 4), max_size=2), st.sets(st.integers(1, 4), max_size=2)
)


@settings(max_examples=examples(70))
@given(st.lists(HOST, min_size=1, max_size=3), st.sampled_from(["rfc5321", "postfix", "exim", "sendmail", "slimta"]))
def test_real_senders_agree_with_trying_every_subset(hosts, sender):
    """The same with hosts of both families and addresses behind several names: what is lost are machines."""
    zone = [f"@ MX {preference} m{number}" for number, (preference, _, _) in enumerate(hosts)]
    zone += [f"m{number} A 192.0.2.{each}" for number, (_, four, _) in enumerate(hosts) for each in four]
    zone += [f"m{number} AAAA 2001:db8::{each}" for number, (_, _, six) in enumerate(hosts) for each in six]
    known = records("\n".join(zone) + "\n")
    _holds_for_every_subset(known, only(sender).foresee(known, sender))


LIMITED = ["postfix", "exim", "mx-connect", "dns-order", "rfc5321", "haraka"]


@settings(max_examples=examples(36))
@given(
    st.lists(st.sampled_from([10, 10, 10, 20]), min_size=2, max_size=5),
    st.sets(st.integers(11, 15), min_size=1, max_size=3),
    st.sampled_from(LIMITED),
    st.sampled_from([DnsOrder.FIXED, DnsOrder.ROTATE, DnsOrder.RANDOM]),
)
@example([10] * 6, {11}, "postfix", DnsOrder.FIXED)
def test_what_is_down_already_shortens_the_lists(preferences, down, sender, dns_order):
    """Of five that are tried, one down already leaves four to lose."""
    zone = "".join(f"@ MX {each} m{n}\nm{n} A 192.0.2.{n}\n" for n, each in enumerate(preferences, 11))
    known, view = records(zone), only(sender, dns_order=dns_order, down=dict.fromkeys(at(*down), Mode.REFUSE))
    _holds_for_every_subset(known, view.foresee(known, sender))


def test_many_equals_with_some_down_are_asked_about_in_few_forecasts():
    """Whether no list is shorter than the one seen is plain from its length: nothing is grown machine by machine."""
    known = records("".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(1, 41)))
    down = dict.fromkeys(at(3, 7, 20), Mode.REFUSE)
    view, told = only("exim", "postfix", "mx-connect", "rfc5321", "haraka", down=down), {}
    for sender in view.mix.senders:
        foresee, asked = view.foresee(known, sender), set()
        found = survive(sender, known, lambda lost, foresee=foresee, asked=asked: asked.add(lost) or foresee(lost))
        told[sender] = len(found.waits), found.surely, len(asked) <= 5
    short = {"exim": 2, "postfix": 2, "mx-connect": 17}
    assert {sender: (short.get(sender, 37), True, True) for sender in view.mix.senders} == told


@given(
    st.dictionaries(st.sampled_from(list(FaultPhase)), st.sampled_from(list(Then)), min_size=1),
    st.sampled_from([T1, T3, T4, "@ MX 10 a\n@ MX 20 b\na A 192.0.2.1\na AAAA 2001:db8::1\nb A 192.0.2.2\n"]),
)
@settings(max_examples=examples(70))
def test_every_sender_file_with_any_legal_reactions_is_answered(reactions, zone):
    """Even one that counts a dead machine's mail as delivered: nothing stops that, and the search for it ends."""
    text = "\n".join(f'{phase} = "{then}"' for phase, then in reactions.items())
    mine, known = read_sender("mine", f"[reactions]\n{text}\n"), records(zone)
    found = survive("mine", known, Conditions(Mix("", {"mine": mine}, {"mine": Fraction(1)})).foresee(known, "mine"))
    trusts = ENDS.get(reactions.get(FaultPhase.CONNECT, Then.NEXT_ADDRESS)) is Result.DELIVERED
    assert (trusts, not trusts) == (found.unstoppable, bool(found.stops))


def _holds_for_every_subset(known, foresee):
    found = survive("x", known, foresee)
    up = known.up(foresee(frozenset()).case.down)
    subsets = [frozenset(each) for size in range(1, len(up) + 1) for each in combinations(up, size)]
    stopping = [each for each in subsets if foresee(each).outcome.get(Result.DELIVERED, 0) == 0]
    minimal = [each for each in stopping if not any(other < each for other in stopping)]
    whole = foresee(frozenset()).outcome.get(Result.DELIVERED, 0)
    assert (minimal if whole else [frozenset()] * bool(stopping or not subsets)) == [found.stops]
    waiting = next((each for each in subsets if foresee(each).outcome.get(Result.DELIVERED, 0) < 1), frozenset())
    assert len(waiting if whole == 1 else ()) == len(found.waits)


def _told(zone):
    return {fate.kind: fate.text for fate in fates(records(zone))}


def test_a_backup_under_another_name_is_told():
    """10/10/20/30 with the same two machines behind: the backups are none."""
    assert "c.example.com is not a backup: it is a.example.com under another name." in {
        fate.text for fate in fates(records(T4))
    }


def test_a_backup_is_told_under_another_name_than_its_own():
    """Where the machine has other addresses too, its name may come first among all that the machine has."""
    zone = "@ MX 20 a\n@ MX 10 b\na A 192.0.2.1\na AAAA 2001:db8::1\nb A 192.0.2.2\nb AAAA 2001:db8::1\n"
    assert "a.example.com is not a backup: it is b.example.com under another name." == _told(zone)["no-backup"]


def test_equals_with_the_same_addresses_are_told_but_are_no_backups():
    """The third set-up has two names for each machine, and no backup at all."""
    assert {"one-address", "same-network"} == _told(T3).keys()
    told = [fate.text for fate in fates(records(T3)) if fate.kind == "one-address"]
    assert ["mail1.example.com and mail2.example.com stand for the same machines, 192.0.2.11 and 192.0.2.12."] == told


def test_one_network_is_told_and_two_are_not():
    """A /24 is routed as one; machines in two networks share no such fate."""
    assert "All machines are in 192.0.2.0/24: one network, likely one site." == _told(T1)["same-network"]
    assert {} == _told("@ MX 10 a\n@ MX 20 b\na A 192.0.2.11\nb A 198.51.100.12\n")


def test_one_machine_with_both_families_is_told():
    """One name with one address of each family is one machine, and that is all there is."""
    assert {"one-machine"} == _told("@ MX 10 a\na A 192.0.2.11\na AAAA 2001:db8::11\n").keys()
