"""The door for programs: route, lookup, send, from a function or from a coroutine."""

import asyncio
import pydoc
import re
from inspect import getdoc
from pathlib import Path

import pytest

import postroad
from postroad.build import build_message

ZONE = Path(__file__).parents[2] / "docs" / "examples" / "example.com.zone"
FEW = postroad.SimulateOptions(senders=["postfix", "postroad"])
LAB_ZONE = "$ORIGIN example.com.\n$TTL 60\n@ MX 10 mail1\n@ MX 20 mail2\nmail1 A 127.0.0.11\nmail2 A 127.0.0.12\n"


def test_route_gives_the_drawn_order():
    """A zone file and a seed give the same order everywhere."""
    routed = postroad.route("example.com", zones=[ZONE], seed=1)
    assert ["mail1.example.com", "mail2.example.com", "backup.example.com"] == [
        target.exchange for target in routed.plan.targets
    ]


def test_route_works_inside_a_running_loop():
    """A coroutine may call the blocking functions; they bring a loop of their own."""

    async def main():
        return postroad.route("example.com", zones=[ZONE]).answer.status, postroad.lookup(
            "example.com", zones=[ZONE]
        ).mx

    status, mx = asyncio.run(main())
    assert ("ok", 3) == (status, len(mx.records))


def test_bad_input_is_told_as_such():
    """A domain that is none raises InputError with the reason."""
    with pytest.raises(postroad.InputError, match="two dots"):
        postroad.route("a..example", zones=[ZONE])


def test_send_gives_an_outcome_for_each_recipient(postroad_lab):
    """Sent straight to the exchangers: the primary refuses, the backup has it."""
    lab = postroad_lab(LAB_ZONE, faults={"127.0.0.11": "refuse"})
    host, port = lab.resolver
    options = postroad.SendOptions(resolvers=[f"{host}:{port}"], port=lab.port)
    to = ["user@example.com"]
    sent = asyncio.run(postroad.send("Subject: x\n\nhello\n", sender="me@example.net", recipients=to, options=options))
    assert {"user@example.com": "delivered"} == {box: outcome.result for box, outcome in sent.outcomes.items()}
    assert [("127.0.0.12", b"Subject: x\r\n\r\nhello\r\n")] == [(str(m.address), m.content) for m in lab.received]


def test_mail_that_requires_tls_goes_to_nobody_that_no_one_vouches_for(postroad_lab):
    """The lab's DNS is not signed: 5.7.30, and not a recipient was named."""
    lab = postroad_lab(LAB_ZONE, tls=True)
    host, port = lab.resolver
    options = postroad.SendOptions(resolvers=[f"{host}:{port}"], port=lab.port, require_tls=True)
    to = ["user@example.com"]
    sent = asyncio.run(postroad.send("Subject: x\n\nhello\n", sender="me@example.net", recipients=to, options=options))
    assert [("failed", "5.7.30")] == [(outcome.result, outcome.status) for outcome in sent.outcomes.values()]
    assert [] == lab.received


def test_message_that_is_built_can_be_sent():
    """Bare line ends become CRLF, and NULs go: no host has to take either."""
    message = build_message(b"Subject: x\n\none\r\n\0.\r\ntwo\r", None, ["ann@example.com"])
    assert b"Subject: x\r\n\r\none\r\n.\r\ntwo\r\n" == message.content


def test_faults_change_while_the_lab_runs(postroad_lab):
    """A test may break and mend an exchanger between two messages."""
    lab = postroad_lab(LAB_ZONE)
    host, port = lab.resolver
    options = postroad.SendOptions(resolvers=[f"{host}:{port}"], port=lab.port)
    send = lambda: asyncio.run(postroad.send("x", sender=None, recipients=["user@example.com"], options=options))  # noqa: E731
    results = []
    for fault in ("accept", "r550", "accept"):
        lab.set_fault("127.0.0.11", fault)
        results.append(str(send().result))
    assert ["delivered", "failed", "delivered"] == results


def test_check_tells_what_will_fail(tmp_path):
    """A domain whose only exchanger has no address loses mail, and the line of the zone is named."""
    zone = tmp_path / "broken.zone"
    zone.write_text("broken.example. MX 10 nowhere.broken.example.\n")
    result = postroad.check("broken.example", zones=[zone])
    assert f"{zone}:1" in {finding.line for finding in result.findings if finding.severity == "error"}


def test_simulate_is_what_the_command_says(tmp_path):
    """Shares by sender are exact; those of the mix are a range, and one number where all mixes agree."""
    found = postroad.simulate("t1")
    first = {str(address): str(share) for address, share in found.first.items()}
    assert {"192.0.2.11": "50 to 63 %", "192.0.2.12": "37 to 50 %"} == first
    assert "100 %" == str(found.delivered)
    assert {"postroad", "exim", "rfc5321"} <= found.forecasts.keys()
    assert {} == found.trials


def test_trials_are_asked_for_with_their_troubles():
    """An outage of both servers for an hour: mail waits for it, and is delivered after."""
    outages = tuple(postroad.Downtime(name, until_s=3600) for name in ("mail1", "mail2"))
    asked = postroad.TrialOptions(messages=100, rate=postroad.Pulse(1, over_s=60), sources=10, outages=outages)
    options = postroad.SimulateOptions(senders=["exim"])
    found = postroad.simulate("t1", options=options, trials=asked, seed=3).trials["exim"]
    assert 1.0 == found.outcome["delivered"].value
    assert found.delay.worst_s > 3000


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: postroad.simulate("t1", down=["mail9"]), "no exchanger of example.com has this name"),
        (lambda: postroad.simulate("t1", options=postroad.SimulateOptions(senders=["nobody"])), "nobody"),
        (lambda: postroad.simulate("t1", options=postroad.SimulateOptions(mix="mars")), "no mix 'mars'"),
        (
            lambda: postroad.simulate("t1", trials=postroad.TrialOptions(outages=(postroad.Downtime("mail9"),))),
            "'mail9': no exchanger of example.com",
        ),
        (lambda: postroad.compare("t1"), "two or more sets of records"),
        (lambda: postroad.advise("no/such.zone"), "no/such.zone"),
        (lambda: postroad.compare(["t1", "t2"]), "two or more sets of records, one by one"),
        (lambda: postroad.simulate("t1", options={}), "options: {} is not of type SimulateOptions"),
        (lambda: postroad.compare("t1", "t2", options=5), "options: 5 is not of type SimulateOptions"),
        (lambda: postroad.advise("t1", options={}), "options: {} is not of type SimulateOptions"),
        (lambda: postroad.simulate("t1", trials=100), "trials: 100 is not of type TrialOptions"),
        (lambda: postroad.TrialOptions(messages=0), "messages: 0 is below 1"),
    ],
)
def test_a_question_that_cannot_be_asked_is_told(call, why):
    """As an InputError with what is wrong; no command ends the program."""
    with pytest.raises(postroad.InputError, match=why):
        call()


def test_a_path_is_as_good_as_a_text(tmp_path):
    """What is called by its path is named by it, as a text."""
    zone = tmp_path / "some.zone"
    zone.write_text("$ORIGIN example.com.\n@ MX 10 mail\nmail A 192.0.2.1\n")
    assert [str(zone), "t2"] == [card.name for card in postroad.compare(zone, "t2", options=FEW).cards]


def test_compare_and_advise_give_data():
    """Verdicts by goal, and the lines to change: proven by the forecasts that come with them."""
    options = postroad.SimulateOptions(senders=["rfc5321"])
    comparison = postroad.compare("t2", "t1", options=options)
    assert ("t1",) == next(verdict.best for verdict in comparison.verdicts if verdict.goal == "balance")
    advice = postroad.advise("t2", split=True, options=options)
    assert (2, True) == (len(advice.new), advice.after is not None)


def test_senders_are_data(tmp_path):
    """All by name, each with the source of what it does; or those asked for, also of a file of one's own."""
    own = tmp_path / "mine.toml"
    own.write_text('like = "postfix"\n')
    assert "measured" in postroad.senders()["postfix"].source
    assert ["exim", "mine"] == list(postroad.senders("exim", own))
    with pytest.raises(postroad.InputError, match="did you mean postfix"):
        postroad.senders("posfix")


def test_a_prompt_completes_every_name():
    """Though nothing is imported before its use: that is also what `help` shows."""
    assert sorted(postroad.__all__) == dir(postroad)
    assert set(postroad.__all__) <= set(re.findall(r"\w+", pydoc.render_doc(postroad)))


def test_each_function_says_what_it_raises():
    """In its docstring: who catches errors need not read ours."""
    functions = [getattr(postroad, name) for name in postroad.__all__ if name.islower()]
    assert [] == [each.__name__ for each in functions if "Raises:\n    InputError: " not in getdoc(each)]


def test_a_loopback_address_may_be_a_target_of_every_function(tmp_path):
    """Of `route` too, as on the command line."""
    zone = tmp_path / "some.zone"
    zone.write_text("$ORIGIN example.com.\n@ MX 10 mail\nmail A 127.0.0.11\n")
    assert ["mail.example.com [127.0.0.11]"] == list(map(str, postroad.route(zone, allow_loopback=True).plan.targets))
