"""The record that says where TLS reports go: what can be used of it, and why the rest cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.tls import read_report_records


def where(*texts):
    """Where the reports of a domain with these records go, as text."""
    record = read_report_records(texts)
    return [*map(str, record.mailboxes), *map(str, record.places)]


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        ("v=TLSRPTv1;rua=mailto:reports@example.com", ["reports@example.com"]),
        ("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", ["https://reporting.example.com/v1/tlsrpt"]),
        ("v=TLSRPTv1; rua=mailto:a@example.com , mailto:b@example.com ;", ["a@example.com", "b@example.com"]),
        ("v=TLSRPTv1; rua=mailto:a@b.test; x-new=1; rua=mailto:c@d.test", ["a@b.test", "c@d.test"]),
        ("v=TLSRPTv1; rua=mailto:a%2Bb@example.com?subject=x", ["a+b@example.com"]),
        ("v=TLSRPTv1; rua=mailto:a@b.test%2Cc@d.test", ["a@b.test", "c@d.test"]),
        ("v=TLSRPTv1; rua=mailto:a@b.test,mailto:A@b.test,mailto:a@B.test", ["a@b.test", "A@b.test"]),
        ("v=TLSRPTv1; rua=HTTPS://EXAMPLE.com:8443?to=1", ["https://example.com:8443/?to=1"]),
        ("v=TLSRPTv1; rua=ftp://example.com/,mailto:a@b.test", ["a@b.test"]),
        ("v=TLSRPTv1; rua=mailto:,mailto:a@b.test,mailto:nobody,mailto://a@b.test", ["a@b.test"]),
        ("v=TLSRPTv1; rua=mailto://b.test/a@b.test,mailto:c@b.test", ["c@b.test"]),
        ("v=TLSRPTv1; rua=https:///x,mailto:a@b.test", ["a@b.test"]),
        ("v=TLSRPTv1; rua=https://b.test/!10m,https://b.test/a", ["https://b.test/a"]),
    ],
)
def test_a_record_leads_to_its_readers(text, readers):
    """RFC 8460 section 3: several addresses, unknown fields, and what cannot be used is passed over."""
    assert readers == where(text)


NO_RECORDS = [
    (),
    ("v=spf1 -all",),
    ("v=TLSRPTv1",),
    ("v=TLSRPTv1;",),
    ("v=tlsrptv1; rua=mailto:a@b.test",),
    (" v=TLSRPTv1; rua=mailto:a@b.test",),
    ("v=TLSRPTv2; rua=mailto:a@b.test",),
    ("v=TLSRPTv1; RUA=mailto:a@b.test",),
    ("v=TLSRPTv1; rua =mailto:a@b.test",),
    ("v=TLSRPTv1; rua=mailto:a@b.test; ; x=1",),
    ("v=TLSRPTv1; rua=mailto:a@b.test; x",),
    ("v=TLSRPTv1; rua=mailto:",),
    ("v=TLSRPTv1; rua=",),
    ("v=TLSRPTv1; rua=mailto:a@b.test!10m",),
    ("v=TLSRPTv1; rua=mailto:a@[127.0.0.1]",),
    ("v=TLSRPTv1; rua=mailto:%FF@b.test",),
    ("v=TLSRPTv1; rua=https://127.0.0.1/",),
    ("v=TLSRPTv1; rua=https://[::1",),
    ("v=TLSRPTv1; rua=https://user@example.com/",),
    ("v=TLSRPTv1; rua=https://example.com:0/",),
    ("v=TLSRPTv1; rua=https://example.com:99999/",),
    ("v=TLSRPTv1; rua=https://example.com/\r\nX: y",),
    ("v=TLSRPTv1; rua=http://example.com/",),
    ("v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:a@b.test"),
]


def test_what_is_no_record_leads_nowhere_and_says_why():
    """None, several, another version, no address, or one that would lead us where nobody may."""
    told = {texts: (where(*texts), bool(read_report_records(texts).why_not)) for texts in NO_RECORDS}
    assert dict.fromkeys(NO_RECORDS, ([], True)) == told


def test_none_and_several_are_told_apart():
    """Who has none writes one, who has two takes one out."""
    assert "there are 2 TLS reporting records" == read_report_records(["v=TLSRPTv1;rua=mailto:a@b.test"] * 2).why_not
    assert 'no record begins with "v=TLSRPTv1;"' == read_report_records(["v=spf1 -all"]).why_not


def test_other_texts_at_the_name_do_no_harm():
    """RFC 8460 section 3: records that do not begin with the version are discarded."""
    assert ["a@b.test"] == where("v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@b.test", "google-site-verification=1")


def test_reports_are_posted_to_the_port_of_https():
    """443, unless the record names another one."""
    texts = ("https://a.test/", "https://a.test:443/", "https://a.test:8443/")
    assert [443, 443, 8443] == [read_report_records([f"v=TLSRPTv1; rua={text}"]).places[0].port for text in texts]


def test_mailboxes_and_places_are_counted_together():
    """Six of each are twelve, and ten may be."""
    both = ",".join(f"mailto:a{n}@b.test,https://b.test/{n}" for n in range(6))
    record = read_report_records([f"v=TLSRPTv1; rua={both}"])
    assert (5, 5, 2) == (len(record.mailboxes), len(record.places), len(record.skipped))


def test_there_are_no_more_readers_than_may_be():
    """A stranger writes the list, and each of them costs a delivery."""
    record = read_report_records(["v=TLSRPTv1; rua=" + ",".join(f"mailto:a{n}@b.test" for n in range(1000))])
    assert (10, 990) == (len(record.mailboxes), len(record.skipped))


PIECES = st.lists(
    st.sampled_from(
        [
            "v=TLSRPTv1",
            ";",
            " ",
            "rua=",
            ",",
            "mailto:",
            "https://",
            "a@b.test",
            "b.test",
            "[",
            "%",
            "!",
            "\0",
            "\u2028",
            "/",
        ]
    )
).map("".join)


@given(st.lists(st.text() | PIECES | PIECES.map("v=TLSRPTv1;rua=".__add__)))
def test_no_text_breaks_the_reader(texts):
    """It has readers, or says why not; and no reader has anything that breaks a line."""
    record = read_report_records(texts)
    assert bool(record.readers) != bool(record.why_not)
    assert all(each.isprintable() and each.isascii() and " " not in each for each in record.readers)
