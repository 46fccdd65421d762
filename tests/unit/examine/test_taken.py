"""Names that advice must not make, because they are there for something else."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.plans import HEAD, records

from postroad.dns import ZoneResolver, parse_zones
from postroad.examine.taken import taken_names
from postroad.planning import Allowed
from postroad.planning.edits import candidates, new_names
from postroad.words.facts import Temporary
from postroad.words.inputs import NotNowError
from postroad.words.names import parse_destination

ONE = "@ MX 10 mail\nmail A 192.0.2.1\n"
SPLIT = "@ MX 10 mail\n@ MX 10 mx\nmail A 192.0.2.1\nmail A 192.0.2.2\nmx A 192.0.2.3\nmx A 192.0.2.4\n"
FORMS = ["{} A 203.0.113.80", "{} AAAA 2001:db8::80", "{} CNAME www", "{} TXT x", "below.{} A 203.0.113.80"]


class Asked:
    """DNS that answers from a zone, as servers do: nobody can look into it."""

    def __init__(self, zone):
        self._zone, self.questions = ZoneResolver(parse_zones({"zone": HEAD + zone})), []

    async def resolve(self, name, kind):
        """The answer of the zone."""
        self.questions.append((name, kind))
        return await self._zone.resolve(name, kind)


class Mute:
    """DNS that does not answer."""

    async def resolve(self, _name, _kind):
        """No answer."""
        return Temporary("no answer")


def _taken(zone, resolver, *allowed):
    return asyncio.run(taken_names(records(zone), resolver, allowed))


@settings(max_examples=examples(60))
@given(
    st.sampled_from([ONE, SPLIT]),
    st.dictionaries(st.sampled_from(["mail2", "mail3", "MAIL4", "mx2", "mx3"]), st.sampled_from(FORMS)),
    st.sampled_from(["", "* A 203.0.113.81\n", "* TXT wild\n"]),
    st.booleans(),
)
def test_no_name_is_made_that_is_there(base, others, wild, in_dns):
    """Whatever a name has, addresses, an alias, a text, or only names below: nothing of the zone gets mail by it."""
    zone = base + "".join(f"{form.format(name)}\n" for name, form in others.items()) + wild
    resolver = Asked(zone) if in_dns else ZoneResolver(parse_zones({"zone": HEAD + zone}))
    split = frozenset({Allowed.SPLIT})
    new = new_names(records(zone), split, _taken(zone, resolver, *split))
    there = {f"{name.lower()}.example.com" for name in others}
    assert (set(), True) == (there & new, bool(new))
    assert len(new) == len(new_names(records(base), split, frozenset()))


def test_where_the_first_name_is_free_dns_is_asked_once():
    """One question settles the usual case; a domain that needs no new name costs none."""
    asked = Asked(ONE)
    assert (frozenset(), 1) == (_taken(ONE, asked), len(asked.questions))
    two = "@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\nb A 192.0.2.2\n"
    idle = Asked(two)
    assert (frozenset(), []) == (_taken(two, idle), idle.questions)


def test_without_an_answer_nothing_is_advised():
    """Nobody can say whether the name is there: to try again is better than to send mail to a stranger."""
    with pytest.raises(NotNowError, match=r"whether mail2\.example\.com exists cannot be looked up now: no answer"):
        _taken(ONE, Mute())


def test_an_address_literal_asks_for_no_name():
    """It has no records, so it has no candidates."""
    assert () == candidates(records("", parse_destination("[192.0.2.1]")))
