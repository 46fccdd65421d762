"""What survives: which losses stop a sender's mail, and which make some of it wait."""

from fractions import Fraction
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from plans import T1, T3, T4, at, listed, planned

from postroad.planning.fates import fates
from postroad.planning.survival import Loss, Survival, losses, minimal_covers, survive
from postroad.words.outcome import Result


def _survival(zone, *lists):
    snapshot = planned(zone)
    return survive("listed", snapshot, listed(snapshot, *lists))


def test_who_tries_all_is_stopped_by_the_loss_of_all():
    """A sender that tries every server loses mail only when all are gone."""
    found = _survival(T1, (11, 12), (12, 11))
    assert (at(11, 12), at(11, 12), True) == (found.stops, found.waits, found.surely)


def test_who_tries_one_of_two_waits_when_either_is_lost():
    """A sender that tries one server a time: the loss of one makes half the mail wait, that of both stops it."""
    found = _survival(T1, (11,), (12,))
    assert (at(11, 12), 1) == (found.stops, len(found.waits))


def test_who_knows_only_the_first_is_stopped_by_its_loss():
    """What is never tried does not help."""
    found = _survival(T1, (11,))
    assert (at(11), at(11)) == (found.stops, found.waits)


def test_two_names_for_one_server_give_more_sets_of_names():
    """Four names behind two servers: any name of the one with any name of the other."""
    found = _survival(T4, (11, 12), (12, 11))
    pairs = {frozenset({f"{one}.example.com", f"{other}.example.com"}) for one in "ac" for other in "bd"}
    assert (pairs, False) == (set(found.names), found.more)


def test_each_name_of_all_servers_is_a_set_of_its_own():
    """The third set-up: both names stand for both servers, so losing what one name means is losing everything."""
    found = _survival(T3, (11, 12), (12, 11))
    assert {frozenset({"mail1.example.com"}), frozenset({"mail2.example.com"})} == set(found.names)


def test_more_sets_than_can_be_told_are_said_to_be_more():
    """Ten servers with two names each have 1,024 minimal sets of names: a hundred are told, and of more."""
    zone = "".join(f"@ MX 10 {side}{n}\n{side}{n} A 192.0.2.{n}\n" for n in range(1, 11) for side in "xy")
    found = _survival(zone, tuple(range(1, 11)))
    assert (100, True) == (len(found.names), found.more)


def test_a_limit_of_five_in_a_hundred_is_found_without_trying_all_sets():
    """Of a hundred servers five are tried in turn from anywhere: five losses make mail wait, all hundred stop it."""
    zone = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(1, 101))
    ways = [tuple((start + step) % 100 + 1 for step in range(5)) for start in range(100)]
    found = _survival(zone, *ways)
    assert (100, 5) == (len(found.stops), len(found.waits))


def test_no_way_means_nothing_can_be_lost():
    """Where no server ever accepts there is no set."""
    found = _survival(T1, ())
    assert (frozenset(), (), frozenset()) == (found.stops, found.names, found.waits)


def test_a_loss_names_everyone_it_stops():
    """In a mix each set tells which senders it stops, and their weight."""
    first = Survival("first", at(11), (), more=False, waits=at(11))
    every = Survival("every", at(11, 12), (), more=False, waits=at(11, 12))
    weights = {"first": Fraction(1, 4), "every": Fraction(3, 4)}
    expected = (Loss(at(11), ("first",), Fraction(1, 4)), Loss(at(11, 12), ("every", "first"), Fraction(1)))
    assert expected == losses([every, first], weights)


@settings(max_examples=40)
@given(
    st.lists(
        st.permutations([11, 12, 13, 14]).flatmap(lambda way: st.integers(1, 4).map(lambda n: way[:n])),
        min_size=1,
        max_size=4,
    )
)
def test_agrees_with_trying_every_subset(ways):
    """Reasoning finds what listing all subsets finds: the one minimal stop, and the size of the smallest wait."""
    zone = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in (11, 12, 13, 14))
    snapshot = planned(zone)
    foresee = listed(snapshot, *ways)
    found = survive("listed", snapshot, foresee)
    subsets = [at(*each) for size in range(1, 5) for each in combinations((11, 12, 13, 14), size)]
    stopping = [each for each in subsets if foresee(each).outcome[Result.DELIVERED] == 0]
    assert [found.stops] == [each for each in stopping if not any(other < each for other in stopping)]
    waiting = next(each for each in subsets if foresee(each).outcome[Result.DELIVERED] < 1)
    assert len(waiting) == len(found.waits)
    assert foresee(found.waits).outcome[Result.DELIVERED] < 1


@settings(max_examples=40)
@given(st.lists(st.frozensets(st.sampled_from("abcde"), min_size=1), min_size=1, max_size=5))
def test_covers_are_all_the_minimal_ones_once(edges):
    """Minimal covers are those that listing all subsets finds, each once."""
    subsets = [frozenset(each) for size in range(1, 6) for each in combinations("abcde", size)]
    covering = [each for each in subsets if all(each & edge for edge in edges)]
    minimal = [each for each in covering if not any(other < each for other in covering)]
    assert sorted(map(sorted, minimal)) == sorted(map(sorted, minimal_covers(edges)))


def _told(zone):
    return {fate.kind: fate.text for fate in fates(planned(zone))}


def test_a_backup_under_another_name_is_told():
    """10/10/20/30 with the same two machines behind: the backups are none."""
    assert "c.example.com is no backup: it is a.example.com under another name." in {
        fate.text for fate in fates(planned(T4))
    }


def test_equals_with_the_same_addresses_are_told_but_are_no_backups():
    """The third set-up has two names for each server, and no backup at all."""
    assert {"one-address", "same-network"} == _told(T3).keys()


def test_one_network_is_told_and_two_are_not():
    """A /24 is routed as one; servers in two networks share no such fate."""
    assert "All servers are in 192.0.2.0/24: one network, likely one site." == _told(T1)["same-network"]
    assert {} == _told("@ MX 10 a\n@ MX 20 b\na A 192.0.2.11\nb A 198.51.100.12\n")


def test_one_machine_with_both_families_is_told():
    """One name with one address of each family is likely one machine."""
    assert "one-name" in _told("@ MX 10 a\na A 192.0.2.11\na AAAA 2001:db8::11\n")
