"""Mail as columns of a row: it comes back as it was, and of a damaged row people see what can be read."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import NOW, letter

from postroad.spool import Listed, Parcel, State, StoredMail
from postroad.spool.base import PARCELS, split
from postroad.spool.rows import DAMAGED, read_listed, read_mail, read_parcel, write_about, write_recipients
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.names import AddressLiteral

names = st.text(min_size=1, max_size=5)
literals = st.sampled_from(["192.0.2.1", "2001:db8::1"]).map(lambda text: AddressLiteral(ip_address(text)))
mailboxes = st.builds(Mailbox, names, st.sampled_from(["a.example", "b.example"]) | literals)
wishes = st.frozensets(st.sampled_from(["NEVER", "SUCCESS", "FAILURE", "DELAY"]))
recipients = st.lists(st.builds(Recipient, mailboxes, wishes, st.none() | names), min_size=1, max_size=3).map(tuple)
maybe = st.none() | names
envelopes = st.builds(Envelope, st.none() | mailboxes, recipients, st.booleans(), st.booleans(), maybe, maybe)
releases = st.none() | st.integers(1, 10**10).map(float)
mails = st.builds(
    StoredMail, names, envelopes, st.floats(0, 1e10), st.integers(0, 2**48), st.integers(0, 99), names, releases
)


def row_of(mail, parcel=None):
    """The columns of a message, or of its parcel."""
    columns = (mail.id, write_about(mail), mail.received_at, mail.size)
    if parcel is None:
        return columns
    of_it = None if parcel.mail is mail else write_recipients(parcel.mail.envelope.recipients)
    routes = " ".join(parcel.routes)
    return (*columns, of_it, parcel.number, parcel.destination, parcel.due_at, parcel.attempts, parcel.warned, routes)


@given(mails)
def test_mail_comes_back_as_it_was(mail):
    """The message with all its recipients, and each of its parcels with its own."""
    assert mail == read_mail(row_of(mail))
    for number, (destination, part) in enumerate(split(mail), PARCELS):
        parcel = Parcel(number, destination, part, NOW, 3, warned=True, routes=("usual", "other"))
        assert parcel == read_parcel(row_of(mail, parcel))


@pytest.mark.parametrize("place", sorted({*range(11)} - {5, 9}))  # no number: no key; and any value is a yes or a no
def test_of_a_damaged_parcel_people_see_the_rest(place):
    """One column is damaged: the parcel is listed without it, and without what nobody can rely on any more."""
    mail = letter("m1", "bob@far.example")
    row = [*row_of(mail, Parcel(7, "far.example", mail, NOW + 9)), None, 1, "451 later"]
    row[place] = b"\xff" if place != 4 else 0
    listed = read_listed(tuple(row))
    bare = StoredMail("m1", Envelope(None, ()), NOW, 0, mail.size)
    expected = Parcel(7, "far.example", bare, NOW + 9)
    changes = {
        0: {"mail": replace(bare, id=str(b"\xff"))},
        2: {"mail": replace(bare, received_at=0.0)},
        3: {"mail": replace(bare, size=0)},
        6: {"destination": str(b"\xff")},
        7: {"due_at": 0.0},
    }
    assert Listed(replace(expected, **changes.get(place, {})), State.HELD, said=listed.said) == listed
    assert listed.said.startswith(f"{DAMAGED} (")
