"""A Django project whose mail goes by Postroad: enqueued for a relay, or sent at once."""

import asyncio

import django
import pytest
from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.message import SafeMIMEText
from django.test.utils import override_settings

import postroad
from postroad.django import NotDeliveredError
from postroad.spool import Selection
from postroad.spool.sqlite import SqliteSpool

LAB_ZONE = "$ORIGIN example.com.\n@ MX 10 mail1\nmail1 A 127.0.0.11\n"


@pytest.fixture(autouse=True, scope="module")
def project():
    """A project with settings of its own, and nothing in them but the backend."""
    if not settings.configured:
        backend = "postroad.django.EmailBackend"
        settings.configure(EMAIL_BACKEND=backend, DEFAULT_FROM_EMAIL="Our Shop <shop@example.net>")
        django.setup()


def _using(**how):
    return override_settings(POSTROAD=how)


def _one_bad_of_three():
    return [mail.EmailMessage("x", "y", None, [f"{name}@example.com"]) for name in ("ann", "b b", "cy")]


def test_mail_of_a_project_is_queued(tmp_path, monkeypatch):
    """`send_mail` says 1 when it is durable; Bcc and a name beside the sender are where they belong."""
    monkeypatch.setenv("POSTROAD_CONFIG", str(_config(tmp_path)))
    with _using(mode="enqueue", spool=str(tmp_path / "spool")):
        asyncio.run(_make(tmp_path / "spool"))
        html = mail.EmailMultiAlternatives("Grüße", "text", None, ["Ann <ann@example.com>"], bcc=["eve@example.org"])
        html.attach_alternative("<p>Grüße</p>", "text/html")
        assert 1 == mail.send_mail("x", "y", None, ["bob@example.com"])
        assert 2 == mail.get_connection().send_messages([html, mail.EmailMessage("x", "y", None, ["cy@example.com"])])
        assert 0 == mail.EmailMessage("x", "y", None, []).send()
        assert 2 == mail.get_connection(fail_silently=True).send_messages(_one_bad_of_three())
    kept = asyncio.run(_kept(tmp_path / "spool"))
    expected = [["bob@example.com"], ["ann@example.com", "eve@example.org"], ["cy@example.com"]]
    expected += [["ann@example.com"], ["cy@example.com"]]
    assert [("shop@example.net", to) for to in expected] == [(sender, to) for sender, to, _octets in kept]
    assert (False, True) == (b"eve@" in kept[1][2], b"From: Our Shop <shop@example.net>" in kept[1][2])


def test_a_spool_that_takes_nothing_is_an_error_unless_it_shall_be_silent(tmp_path, monkeypatch):
    """As with Django's own backends."""
    monkeypatch.setenv("POSTROAD_CONFIG", str(_config(tmp_path)))
    with _using(spool=str(tmp_path / "none")):
        with pytest.raises(postroad.SpoolError, match="start the relay once"):
            mail.send_mail("x", "y", None, ["bob@example.com"])
        assert 0 == mail.send_mail("x", "y", None, ["bob@example.com"], fail_silently=True)


def test_mail_of_a_project_is_sent_over_one_connection(postroad_lab):
    """Mode send: what did not arrive is told with its outcomes, and the others have arrived; from a view, too."""
    lab = postroad_lab(LAB_ZONE)
    with _using(mode="send", resolvers=["{}:{}".format(*lab.resolver)], port=lab.port):
        some = [mail.EmailMessage("x", "y", None, ["bob@example.com"]) for _ in range(3)]
        assert 3 == mail.get_connection().send_messages(some)
        assert 1 == len({received.peer for received in lab.received})
        lab.set_fault("127.0.0.11", "r550")
        with pytest.raises(NotDeliveredError, match="1 of 1 messages not delivered: <Sent: failed bob@example"):
            mail.send_mail("x", "y", None, ["bob@example.com"])
        assert 0 == mail.send_mail("x", "y", None, ["bob@example.com"], fail_silently=True)
        lab.set_fault("127.0.0.11", "accept")

        async def view():
            return mail.send_mail("x", "y", None, ["bob@example.com"])

        assert 1 == asyncio.run(view())
        assert 2 == mail.get_connection(fail_silently=True).send_messages(_one_bad_of_three())


def test_what_django_makes_can_be_sent():
    """A SafeMIMEText, whose as_bytes takes no policy."""
    message = SafeMIMEText("Grüße\n", "plain", "utf-8")
    message["From"], message["To"], message["Subject"] = "Är <a@example.net>", "b@example.com", "Grüße"
    options = postroad.SendOptions(zones=[], resolvers=["127.0.0.1:1"], timeout_s=0.01)
    assert {"b@example.com": "deferred"} == {
        name: str(outcome.result) for name, outcome in postroad.send_sync(message, options=options).outcomes.items()
    }


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"mode": "spool"}, "neither"),
        ({"spol": "x"}, "did you mean spool"),
        ({"mode": "send", "spool": "x"}, "not a key of mode 'send'"),
        ({"mode": "send", "timeout_s": 0}, "POSTROAD: timeout_s: 0 is not above"),
    ],
)
def test_wrong_settings_are_told(how, why):
    """When the backend is made, not when the first mail is lost."""
    with _using(**how), pytest.raises(ImproperlyConfigured, match=why):
        mail.get_connection()


def _config(folder):
    path = folder / "postroad.toml"
    path.write_text('hostname = "relay.example.net"\n')
    return path


async def _make(folder):
    await (await SqliteSpool.open(folder, node="relay")).close()


async def _kept(folder):
    """Who sent each message of a spool, to whom, and its octets."""
    spool = await SqliteSpool.open(folder, node="")
    found = []
    for id_ in dict.fromkeys(each.parcel.mail.id for each in await spool.listed(Selection())):
        told = (await spool.story(id_)).mail
        octets = b"".join([piece async for piece in spool.body(told)])
        to = [str(each.mailbox) for each in told.envelope.recipients]
        found.append((str(told.envelope.reverse_path), to, octets))
    await spool.close()
    return found
