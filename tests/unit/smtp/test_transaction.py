"""One message to one host: every reply at every step, and nothing delivered that was not sent."""

import ast
import re
from collections import deque
from dataclasses import asdict
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some, stride
from tests.support.sources import files, text

from postroad.smtp import (
    Auth,
    Bdat,
    Break,
    ClientEnd,
    ClientState,
    Data,
    Done,
    Ehlo,
    Expect,
    Helo,
    Mail,
    More,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Terms,
    Timeouts,
    Transaction,
    Violation,
    Write,
)
from postroad.smtp.transaction import host_outcome
from postroad.smtp.wire import NewlineCheck
from postroad.smtp.wire import has_bare as wire_has_bare
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Outcome, Phase, Receipt, Result, Scope
from postroad.words.reply import Reply

RECIPIENTS = (Recipient(Mailbox("ann", "example.com")), Recipient(Mailbox("bob", "example.com")))
CONTENT = b"Subject: x\r\n\r\n.dot\r\n"
CODES = range(1000)
EDGES = (199, 200, 220, 250, 299, 300, 334, 354, 399, 400, 421, 452, 499, 500, 552, 599, 600)
LOST = Outcome(Result.DEFERRED, Scope.HOST, "lost", "4.4.2", Phase.MAIL)
USUAL = {"MAIL": 250, "RCPT": 250, "DATA": 354, ".": 250, "BDAT": 250, "RSET": 250}
FORMS = list(product([True, False], [True, False], [True, False], [True, False]))


def has_bare(octets):
    """Whether a CR or LF stands alone."""
    return re.search(rb"\r(?!\n)|(?<!\r)\n", octets) is not None


def is_unsafe(octets):
    """Whether another server could see the end of a message in it that is none."""
    return has_bare(octets) or b"\x00" in octets


def ready(*, pipelining=True, chunking=True):
    """A client that has heard what the host offers."""
    client = ClientEnd()
    client.receive(b"220 hi\r\n")
    client.send(Ehlo("me.example"))
    offers = [b"250-DSN\r\n"] + [b"250-PIPELINING\r\n"] * pipelining + [b"250-CHUNKING\r\n"] * chunking
    client.receive(b"250-mx.example\r\n" + b"".join(offers) + b"250 SIZE 1000000\r\n")
    return client


class Host:
    """Answers what it is sent, each step as usual but for one, and knows whether it ever saw a whole message."""

    def __init__(self, odd_step=-1, odd_code=0):
        self.odd_step, self.odd_code = odd_step, odd_code
        self.steps = []  # what was answered
        self.due = []  # what was sent and is not answered
        self.has_message = False

    def take(self, octets):
        """Octets of the client: lines, and the content behind them."""
        for line in octets.split(b"\r\n"):
            verb = line.split(b" ")[0].decode()
            if verb in USUAL:
                self.due.append(verb)
                self.has_message |= verb == "." or (verb == "BDAT" and line.endswith(b" LAST"))

    def answer(self):
        """The next reply."""
        step = self.due.pop(0)
        code = self.odd_code if len(self.steps) == self.odd_step else USUAL[step]
        self.steps.append(step)
        return b"%03d x\r\n" % code


def carried_out(host, terms, *, pipelining, chunking, whole):
    """A transaction driven to its end; None instead of what was told if the host broke it."""
    client = ready(pipelining=pipelining, chunking=chunking)
    content = CONTENT if whole else len(CONTENT)
    transaction = Transaction(client, Envelope(None, RECIPIENTS), content, (0, 1), terms)
    pieces = [CONTENT[:5], CONTENT[5:], b""]
    step = transaction.begin()
    while not isinstance(step, Done):
        if isinstance(step, Write):
            host.take(step.octets)
            step = step.then
        elif isinstance(step, More):
            step = transaction.give(pieces.pop(0))
        elif isinstance(step, Break):
            transaction.lose(step.outcome)
            break
        else:
            (event,) = client.receive(host.answer())
            if not isinstance(event, Reply):
                transaction.lose(LOST)
                break
            step = transaction.hear(deque([event]))
    return transaction


def results(transaction):
    """What each of the two was told: a result, "?" where the host may have the message, None where nothing."""
    told = [transaction.told.get(index) for index in (0, 1)]
    return tuple("?" if each and each.unsettled else each and each.result for each in told)


@pytest.mark.parametrize(("pipelining", "chunking", "whole", "rested"), FORMS)
def test_every_code_at_every_step(pipelining, chunking, whole, rested):
    """Only a 2yz to the end of a message that was sent makes it delivered; what fits nowhere breaks the session.

    One code in five hundred at each step, others in each form, and the edges; in a whole run, all of them.
    """
    how = {"pipelining": pipelining, "chunking": chunking, "whole": whole}
    terms = Terms(rested=rested, resets=rested)
    usual = Host()
    assert ((Result.DELIVERED,) * 2, True) == (results(carried_out(usual, terms, **how)), usual.has_message)
    carried = (452, 552)
    turn = FORMS.index((pipelining, chunking, whole, rested))
    steps = range(len(usual.steps))
    tried = [(step, {*EDGES, *some(CODES, 500, turn * len(steps) + step)}) for step in steps]
    for step, code in ((step, code) for step, codes in tried for code in codes):
        verb = usual.steps[step]
        goes_on = code == 354 if verb == "DATA" else 200 <= code < 300
        host = Host(step, code)
        transaction = carried_out(host, terms, **how)
        heard = results(transaction)
        assert set(heard) <= {None, "?", *Result}
        if goes_on:
            expected = (Result.DELIVERED,) * 2
        elif code == 421 or (code // 100 in (4, 5) and verb == "RSET"):
            expected = (None, None)
        elif code // 100 in (4, 5):
            refused = Result.DEFERRED if code < 500 else Result.FAILED
            other = None if code in carried else refused
            expected = {"RCPT": (other, Result.DELIVERED)}.get(verb, (refused,) * 2)
            if verb == "RCPT" and usual.steps[step - 1] == "RCPT":
                expected = expected[::-1]
        elif host.has_message:  # nonsense, when the message may be there
            expected = ("?", "?")
        else:
            expected = (None, None)
        assert (verb, code, expected) == (verb, code, heard)


@pytest.mark.parametrize("whole", [True, False])
def test_host_that_wants_a_message_for_nobody_gets_an_empty_one(whole):
    """354 though it has refused all: the message is not for it (RFC 2920 section 3.1)."""
    client = ready(chunking=False)
    transaction = Transaction(client, Envelope(None, RECIPIENTS), CONTENT if whole else len(CONTENT), (0, 1), Terms())
    transaction.begin()
    step = transaction.hear(deque(client.receive(b"250 x\r\n550 x\r\n550 x\r\n354 x\r\n")))
    assert b".\r\n" == step.octets
    assert Done() == transaction.hear(deque(client.receive(b"250 x\r\n")))
    assert (Result.FAILED, Result.FAILED) == results(transaction)


def test_a_transaction_is_open_from_its_first_command_until_the_message_is_taken():
    """Another over the same connection has to reset what is open; what is not even offered opens nothing."""
    codes = {True: b"250 x\r\n250 x\r\n250 x\r\n", False: b"250 x\r\n550 x\r\n550 x\r\n"}
    seen = []
    for size, is_taken in ((10, True), (10, False), (1_000_001, True)):
        client = ready()
        transaction = Transaction(client, Envelope(None, RECIPIENTS), size, (0, 1), Terms())
        seen.append(transaction.is_open)
        step = transaction.begin()
        seen.append(transaction.is_open)
        if size > 10:
            assert Done() == step
            continue
        step = transaction.hear(deque(client.receive(codes[is_taken])))
        if is_taken:
            transaction.give(b"x" * 10)
            transaction.hear(deque(client.receive(b"250 x\r\n")))
        seen.append(transaction.is_open)
    assert [False, True, False, False, True, True, False, False] == seen


KINDS = {
    Ehlo("me"): (ClientState.HELLO, 2),
    Helo("me"): (ClientState.HELLO, 2),
    StartTls(): (ClientState.READY, 220),
    Auth("PLAIN", "AA=="): (ClientState.READY, 2),
    Mail(None): (ClientState.READY, 2),
    Rcpt(RECIPIENTS[0]): (ClientState.MAIL, 2),
    Data(): (ClientState.RCPT, 354),
    Bdat(0, last=True): (ClientState.RCPT, 2),
    Bdat(0): (ClientState.RCPT, 2),
    Rset(): (ClientState.READY, 2),
    Noop(): (ClientState.READY, 2),
    Quit(): (ClientState.READY, 2),
}


@pytest.mark.parametrize("command", KINDS, ids=lambda command: type(command).__name__)
def test_client_takes_only_replies_that_fit(command):
    """Each command has the replies that let the session go on, 4yz and 5yz refuse, and any other ends it.

    One code in twenty, others for each command, and the edges; in a whole run, all.
    """
    state, goes_on = KINDS[command]
    for code in {*EDGES, *some(CODES, 20, list(KINDS).index(command))}:
        client = ClientEnd()
        client.receive(b"220 hi\r\n")
        client.state = state
        client.send(command)
        (event,) = client.receive(b"%03d x\r\n" % code)
        fits = code // 100 in (goes_on, 4, 5) or (goes_on > 9 and code == goes_on)
        fits |= code == 334 and isinstance(command, Auth)
        assert (code, Reply if fits else Violation) == (code, type(event))


def test_greeting_is_220_or_a_refusal():
    """Nothing else begins a session."""
    begun = {code for code in CODES if not isinstance(ClientEnd().receive(b"%03d x\r\n" % code)[0], Violation)}
    assert {220, *range(400, 600)} == begun


def test_answer_to_rcpt_is_no_receipt():
    """2.1.5 is about an address: a host that says it to BDAT is one reply out of step (RFC 3463 section 3.2)."""
    client = ready()
    transaction = Transaction(client, Envelope(None, RECIPIENTS), CONTENT, (0,), Terms())
    transaction.begin()
    events = client.receive(b"250 extra\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n554 5.7.1 spam\r\n")
    assert [Reply, Reply, Violation] == [type(event) for event in events]


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(421, ("bye",)), "4.3.0"),
        (Reply(421, ("4.7.0 too many",)), "4.7.0"),
        (Reply(554, ("no",)), "4.3.0"),
        (Reply(554, ("5.7.1 not you",)), "4.3.0"),
    ],
)
def test_who_ends_the_session_defers_the_mail(reply, status):
    """Whatever the reply: the status is one that may be tried again, the host's own if that says so."""
    outcome = host_outcome(reply, Phase.MAIL)
    assert (Result.DEFERRED, Scope.HOST, status, Phase.MAIL, reply) == (
        outcome.result, outcome.scope, outcome.status, outcome.phase, outcome.reply,
    )  # fmt: skip


@pytest.mark.parametrize("code", [250, 251, 299])
def test_receipt_is_made_of_2yz(code):
    """The word of a host that it has the message is a reply of its class."""
    assert code == Receipt(Reply(code, ("ok",))).reply.code


@pytest.mark.parametrize("code", [211 - 100, 334, 354, 421, 550])
def test_no_other_reply_makes_a_receipt(code):
    """Nothing but 2yz is one."""
    with pytest.raises(ValueError, match="not a receipt"):
        Receipt(Reply(code, ("x",)))


def _calls(name, *others):
    is_called = re.compile(rf"(?<![.\w])(?<!def ){name}\(")
    for path, below in files():
        if all(each in text(path) for each in (f"{name}(", *others)) and is_called.search(text(path)):
            for node in ast.walk(ast.parse(text(path))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                    yield below, node


def test_only_a_receipt_makes_delivered():
    """One line of the program makes receipts, and one turns them into outcomes: no other calls mail delivered."""
    assert ["smtp/transaction.py"] == [path for path, _ in _calls("Receipt")]
    assert ["smtp/transaction.py"] == [path for path, _ in _calls("delivered")]
    outcomes = _calls("Outcome", "Result.DELIVERED")
    says = [path for path, call in outcomes if "Result.DELIVERED" in ast.unparse(call)]
    assert ["words/outcome.py"] == says


BITS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"."]), max_size=12).map(b"".join)


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(BITS, max_size=6))
def test_bare_newlines_are_seen_across_pieces(pieces):
    """However the content is cut, a CR or LF that stands alone is found, and nothing else."""
    check = NewlineCheck()
    found = any(check.is_bare(piece) for piece in pieces)
    assert has_bare(b"".join(pieces)) == (found or check.ends_bare) == wire_has_bare(b"".join(pieces))


UNSAFE_BITS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b".", b"\x00"]), max_size=12).map(b"".join)


@settings(max_examples=examples(100 // stride(2)))
@given((BITS | UNSAFE_BITS).map(lambda octets: octets * 3), st.integers(1, 5), st.booleans())
@example(content=b"\r\n\x00.\r\n", size=2, chunking=True)
@example(content=b"\r\n\x00.\r\n", size=100, chunking=False)
def test_what_is_written_is_safe(content, size, chunking):
    """Whatever the content, the octets written have CR and LF in pairs only and no NUL, or it is never ended."""
    client = ready(chunking=chunking)
    transaction = Transaction(client, Envelope(None, RECIPIENTS), len(content), (0,), Terms())
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    host, wire = Host(), b""
    step = transaction.begin()
    while not isinstance(step, Done | Break):
        if isinstance(step, Write):
            host.take(step.octets) if not wire or b"BDAT" in step.octets else None
            wire += step.octets
            step = step.then
        elif isinstance(step, More):
            step = transaction.give(pieces.pop(0) if pieces else b"")
        elif isinstance(step, Expect):
            code = 354 if transaction.phase is Phase.DATA else 250
            step = transaction.hear(deque(client.receive(b"%d x\r\n" % code)))
    is_sent = isinstance(step, Done)
    assert is_sent == (not is_unsafe(content))
    assert not is_sent or not is_unsafe(wire)


def test_nothing_is_sent_before_the_chunk_that_was_announced():
    """Where octets are owed, a command would be taken for them (RFC 3030 section 2)."""
    client = ready()
    told = [ClientEnd().may_send(Quit), client.may_send(Quit)]
    client.state = ClientState.RCPT
    client.send(Bdat(5))
    assert [False, True, False] == [*told, client.may_send(Quit)]


def test_no_wait_is_shorter_than_the_standard_asks():
    """RFC 5321 section 4.5.3.2: each phase at its least; what it does not name is ours."""
    asked = {"greeting_s": 300, "mail_s": 300, "rcpt_s": 300, "data_s": 120, "block_s": 180, "dot_s": 600}
    ours = {"connect_s": 30, "ehlo_s": 300, "starttls_s": 120, "resting_s": 0.25, "resting_most_s": 3, "quit_s": 2}
    assert asked | ours == asdict(Timeouts())
