"""Refusals that send mail another way: what a pattern means, and which answers are a no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.settlings import TARGET

from postroad.routing import OnReject, parse_pattern
from postroad.words.names import Unreadable
from postroad.words.outcome import Outcome, Phase, Result, Scope, refused
from postroad.words.reply import Reply
from postroad.words.trail import Attempt, Contact

BLOCKED = Reply(550, ("5.7.1 Unfortunately, messages from [192.0.2.1]", "were not sent: BLOCKED by Spamhaus (S3140)."))


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("550", True),
        ("554", False),
        ("5.7.1", True),
        ("5.7.*", True),
        ("5.1.*", False),
        ("5.7.10", False),
        ("5.70.*", False),
        ("blocked", True),
        ("Blocked By", True),
        ("blocked*(s3140)", True),
        ("messages*spamhaus", True),
        ("spamhaus*messages", False),
        ("messages from [192.0.2.1] were not", True),
        ("*", True),
        ("greylisted", False),
    ],
)
def test_a_pattern_means_what_it_says(pattern, matches):
    """A code is the code, an enhanced code is that in front of the text, words are anywhere in it and in any case."""
    assert matches == OnReject((parse_pattern(pattern),), "b").matches(BLOCKED)


@pytest.mark.parametrize(
    ("match", "what"), [(("*",), ""), (("550", "*"), ""), (("550",), " (550)"), (("550", "no"), " (550, no)")]
)
def test_a_rule_says_what_it_does(match, what):
    """Of `*` it says nothing: that is all that is refused for good."""
    assert f'Mail that is refused for good{what} takes the route "b"' == str(OnReject(match, "b"))


def test_one_of_several_is_enough():
    """A list is read with `or`."""
    assert OnReject(("554", "nobody", "5.7.1"), "b").matches(BLOCKED)


def test_a_dot_is_a_dot():
    """No pattern is an expression, and an enhanced code that contradicts its reply code is none."""
    assert not OnReject(("5.7.1",), "b").matches(Reply(550, ("5a7b1 no",)))
    assert not OnReject(("4.7.1",), "b").matches(Reply(550, ("4.7.1 no",)))


@pytest.mark.parametrize("code", [250, 354, 421, 450, 452])
def test_only_a_permanent_refusal_matches(code):
    """What says "not now" is asked again, whatever its text."""
    assert not OnReject(("*", str(code), "no"), "b").matches(Reply(code, ("no",)))


def said(code, phase=Phase.RCPT, scope=Scope.RECIPIENT):
    """The outcome of a reply."""
    return refused(Reply(code, ("said",)), scope, phase)


SILENT = Outcome(Result.DEFERRED, Scope.HOST, "timed out", "4.4.1", Phase.CONNECT)
GREETING = Outcome(Result.DEFERRED, Scope.HOST, "554 no", "5.0.0", Phase.GREETING, Reply(554, ("no",)))


@pytest.mark.parametrize(
    ("expected", "answers"),
    [
        (True, [said(550)]),
        (True, [said(554), said(550)]),
        (True, [GREETING, GREETING]),
        (True, [GREETING, said(550)]),
        (False, [SILENT, said(550)]),
        (False, [said(451), said(550)]),
        (False, [GREETING, SILENT]),
    ],
    ids=["one", "two", "greetings", "greeting and recipient", "silence", "not now", "greeting and silence"],
)
def test_the_last_one_must_have_said_no(expected, answers):
    """A host that was silent or said "not now" might still take it: then the mail waits, as without the setting."""
    contacts = tuple(Contact(TARGET, 0, 1, Phase.RCPT, None, {0: answer}) for answer in answers)
    attempt = Attempt("example.com", (answers[-1],), contacts, 7, 1.0)
    assert ({0} if expected else set()) == OnReject(("*",), "b").refused(attempt)


def test_what_no_host_said_is_no_refusal():
    """A domain that does not exist, or takes no mail, is so by any route."""
    nowhere = Outcome(Result.FAILED, Scope.DOMAIN, "the domain does not exist", "5.1.2")
    assert set() == OnReject(("*",), "b").refused(Attempt("example.com", (nowhere,), (), 7, 1.0))


NO_PATTERNS = [
    "",
    " ",
    "a" * 201,
    "a|b",
    "^5",
    "no$",
    r"5\.7",
    ".*",
    "55",
    "5xx",
    "5.7",
    "55*",
    "5.*.*",
    "421",
    "4.7.1",
    "2.0.0",
    "a\nb",
]


def test_what_is_no_pattern_is_a_sentence():
    """With what to write instead."""
    assert [] == [text for text in NO_PATTERNS if not isinstance(parse_pattern(text), Unreadable)]


def test_a_code_with_a_star_is_whole_up_to_the_star():
    """`5.1.*` is no beginning of 5.10.1."""
    replies = [Reply(550, (f"{code} no",)) for code in ("5.1.0", "5.1.10", "5.10.1", "5.2.1")]
    assert [True, True, False, False] == [OnReject(("5.1.*",), "b").matches(reply) for reply in replies]


def test_a_pattern_may_have_two_hundred_characters():
    """One more is too long, see above."""
    assert "a" * 200 == parse_pattern("a" * 200)


def test_parts_of_a_pattern_do_not_overlap():
    """Each begins where the one before it ended."""
    matches = [OnReject(("ab*ba",), "b").matches(Reply(550, (text,))) for text in ("aba", "abba", "ab and ba")]
    assert [False, True, True] == matches


@given(st.lists(st.text("ab* ", min_size=1, max_size=20), min_size=1, max_size=5), st.text("ab ", max_size=60))
def test_a_star_is_any_run_of_characters(patterns, text):
    """The same as trying every way to fill the stars."""

    def fits(pattern, rest):
        if not pattern:
            return True
        head, _, tail = pattern.partition("*")
        places = [at for at in range(len(rest) + 1) if rest.startswith(head, at)]
        return any(fits(tail, rest[at + len(head) :]) for at in places)

    reply = Reply(550, (text,))
    assert any(fits(each, reply.text) for each in patterns) == OnReject(tuple(patterns), "b").matches(reply)
