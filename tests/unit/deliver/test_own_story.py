"""Each recipient its own story: whatever became of the others, nobody is quoted what was said to somebody else."""

import asyncio
import email
import email.policy
import json
import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.delivering import NOON, FixedIds, recipients
from tests.support.examples import examples, stride

from postroad.deliver import Bounces
from postroad.deliver.disposition import judge
from postroad.pace import RetrySchedule
from postroad.routing import Connected, Ended, Greeted, Onward, Try, Verdict, Wait, Walk, WalkPolicy, explain_attempt
from postroad.spool import Settlement
from postroad.spool.base import StoredMail
from postroad.spool.memory import MemorySpool
from postroad.views.json import story_shape, trace_shape
from postroad.views.text.queue import told, traced
from postroad.words.mail import Envelope, parse_mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record, read_attempt
from postroad.words.reply import Reply
from postroad.words.trail import Attempt, Target

SCHEDULE = RetrySchedule(jitter=0)
NAMES = ("ann", "bob", "cat")
WHO = recipients(*(f"{name}@example.com" for name in NAMES), notify=frozenset({"SUCCESS", "FAILURE", "DELAY"}))
CONTENT = b"Subject: hello\r\n\r\nHello.\r\n"
QUOTE = re.compile(r"to-(\w+)")
TARGETS = tuple(
    Target(f"mx{number}.example.com", ip_address(f"192.0.2.{number}"), number // 2) for number in range(1, 5)
)


@dataclass
class Hosts:
    """Hosts that say what is drawn. Every reply names whom it is for: one recipient, or all."""

    draw: object
    replies: int = 0

    def reply(self, code, whom, scope, phase):
        """A reply like no other."""
        self.replies += 1
        reply = Reply(code, (f"{code // 100}.0.0 number {self.replies} to-{whom}",))
        result = {2: Result.DELIVERED, 4: Result.DEFERRED, 5: Result.FAILED}[code // 100]
        return Outcome(result, scope, str(reply), f"{code // 100}.0.0", phase, reply)

    def away(self, phase):
        """The host is not there, or leaves."""
        self.replies += 1
        return Outcome(Result.DEFERRED, Scope.HOST, f"lost number {self.replies} to-all", "4.4.2", phase)

    def meet(self, walk, number):
        """One contact, to its end."""
        if self.draw(st.integers(0, 3)) == 0:
            return Ended(number, Phase.CONNECT, host=self.away(Phase.CONNECT))
        walk.tell(Connected(number), 0.0)
        walk.tell(Greeted(number), 0.0)
        asked = walk.recipients(number)
        if self.draw(st.integers(0, 5)) == 0:
            return Ended(number, Phase.STARTTLS, host=self.away(Phase.STARTTLS))
        said = {}
        for index in asked:
            code = self.draw(st.sampled_from([0, 250, 250, 450, 550]))
            if code == 0:
                return Ended(number, Phase.RCPT, said, self.away(Phase.RCPT))
            if code != 250:
                said[index] = self.reply(code, NAMES[index], Scope.RECIPIENT, Phase.RCPT)
        if len(said) < len(asked):
            code = self.draw(st.sampled_from([250, 250, 250, 451, 554]))
            said |= dict.fromkeys(set(asked) - set(said), self.reply(code, "all", Scope.MESSAGE, Phase.DOT))
        return Ended(number, Phase.DOT, said)


@st.composite
def attempts(draw):
    """What the walk makes of an attempt at some hosts."""
    hosts = Hosts(draw)
    policy = WalkPolicy(on_4xx=draw(st.sampled_from(Onward)), on_5xx=draw(st.sampled_from(Onward)))
    walk = Walk(TARGETS[: draw(st.integers(1, 4))], len(NAMES), policy, now=0.0)
    while True:
        match walk.next(0.0):
            case Verdict(outcomes):
                return Attempt("example.com", outcomes, walk.contacts, 7, 1.0)
            case Try(number=number):
                walk.tell(hosts.meet(walk, number), 0.0)
            case Wait():
                raise AssertionError("nothing is open")


def quoted(text):
    """Whom all replies that a text quotes were given to."""
    return set(QUOTE.findall(text))


def only(name):
    """Whose replies may be quoted to this recipient."""
    return {name, "all"}


@settings(max_examples=examples(100 // stride(2)))
@given(attempts())
def test_record_brings_back_every_story(done):
    """What each contact meant for each recipient is there after days, and whose answer the outcome is."""
    again = read_attempt(json.loads(json.dumps(attempt_record(done))))
    assert [done.story_of(index) for index in range(3)] == [again.story_of(index) for index in range(3)]
    assert [done.source_of(index) for index in range(3)] == [again.source_of(index) for index in range(3)]
    assert done.outcomes == again.outcomes


@settings(max_examples=examples(100 // stride(2)))
@given(attempts())
def test_every_outcome_has_its_source(done):
    """A recipient that any host was asked for has a contact whose answer its outcome is; its own, not another's."""
    for index, name in enumerate(NAMES):
        story = done.story_of(index)
        assert bool(story) == (done.source_of(index) is not None)
        assert quoted(" ".join(said.text for _, said in story)) <= only(name)
        assert quoted(done.outcomes[index].text) <= only(name)


@settings(max_examples=examples(100 // stride(2)))
@given(attempts(), st.sampled_from([0, 5 * 3600, 5 * 86400]))
def test_line_for_the_queue_quotes_only_what_those_who_wait_heard(done, age_s):
    """The 550 of one who is done with is never said of one who waits."""
    mail = StoredMail("m1", Envelope(parse_mailbox("me@example.net"), WHO), NOON - age_s, 7, len(CONTENT))
    (parcel,) = asyncio.run(MemorySpool().add(mail, CONTENT))
    verdict = judge(parcel, done, SCHEDULE, NOON, Random(1))
    left = [fate.recipient.mailbox.local for fate in verdict.left]
    assert quoted(verdict.said) <= {"all", *left}
    assert not left or any(str(target) in verdict.said for target in TARGETS)


def part_of(done, indices):
    """The attempt as it would have been for these recipients alone."""
    place = {index: number for number, index in enumerate(indices)}
    contacts = tuple(
        replace(each, recipients={place[index]: said for index, said in each.recipients.items() if index in place})
        for each in done.contacts
    )
    return replace(done, outcomes=tuple(done.outcomes[index] for index in indices), contacts=contacts)


async def settled(attempts, age_s):
    """A message after these attempts, each for whom the one before left: the reports on it, and its story."""
    spool, reports = MemorySpool(), []
    mail = StoredMail("m1", Envelope(parse_mailbox("me@example.net"), WHO), NOON - age_s, 7, len(CONTENT))
    bounces = Bounces(spool, "relay.example", SCHEDULE.expiry_s, FixedIds())
    parcels = await spool.add(mail, CONTENT, claim=True)
    for done in attempts:
        for parcel in parcels:
            open_ = parcel.mail.envelope.recipients
            verdict = judge(parcel, part_of(done, [WHO.index(each) for each in open_]), SCHEDULE, NOON, Random(1))
            reports += await bounces.reports(parcel, verdict, NOON)
            names = [str(each.mailbox) for each in open_]
            record = json.dumps(attempt_record(verdict.attempt) | {"recipients": names})
            left, said = tuple(fate.recipient for fate in verdict.left), verdict.said
            await spool.settle([Settlement(parcel, left, NOON if left else None, record, said=said)], NOON)
        parcels = await spool.claim(NOON, 1, each=1)
    return [octets for _, octets in reports], await spool.story("m1")


ages = st.sampled_from([0, 5 * 3600, 5 * 86400])


@settings(max_examples=examples(100 // stride(2)), deadline=None)
@given(attempts(), attempts(), ages)
def test_report_quotes_to_nobody_what_was_said_to_another(first, last, age_s):
    """Neither in the fields about a recipient nor in the paragraph about it; nor to anybody what unnamed ones heard."""
    reports, _ = asyncio.run(settled((first, last), age_s))
    for octets in reports:
        report = email.message_from_bytes(octets, policy=email.policy.default)
        text, status, _ = report.iter_parts()
        named = {"all"}
        for block in status.get_payload()[1:]:
            name = block["Final-Recipient"].partition("; ")[2].partition("@")[0]
            assert quoted(block.as_string()) <= only(name)
            named.add(name)
        assert quoted(text.get_content()) <= named
        for paragraph in text.get_content().split("\n\n"):
            name = paragraph.strip().partition("@")[0]
            assert name not in NAMES or quoted(paragraph) <= only(name)


@settings(max_examples=examples(100 // stride(2)), deadline=None)
@given(attempts(), attempts(), ages)
def test_queue_shows_to_nobody_what_was_said_to_another(first, last, age_s):
    """A line about a recipient in `queue show` and `queue trace` has replies to that one alone, as text and as JSON."""
    _, story = asyncio.run(settled((first, last), age_s))
    for name in NAMES:
        address = f"{name}@example.com"
        lines = [line for line in (*map(" ".join, told(story, NOON).rows), *traced(story)) if address in line]
        shapes = [story_shape(story), *trace_shape(story)["attempts"]]
        assert len(lines) >= 2
        assert quoted(" ".join(lines)) <= only(name)
        assert quoted(json.dumps([shape["recipients"].get(address) for shape in shapes])) <= only(name)


@settings(max_examples=examples(100 // stride(2)))
@given(attempts())
def test_explain_names_those_whose_reply_it_quotes(done):
    """A sentence that quotes a reply to one of three recipients names that one, and nobody else."""
    for sentence in explain_attempt(done, [f"{name}@example.com" for name in NAMES]):
        named = {name for name in NAMES if f"{name}@example.com" in sentence}
        whom = quoted(sentence) - {"all"}
        assert not whom or whom == named
