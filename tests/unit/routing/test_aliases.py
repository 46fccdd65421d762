"""Mail for the names of a machine without mailboxes: where it goes, and what is no alias."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.routing import Alias, Aliases, parse_aliases, parse_target, resolve_aliases
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.reply import Reply

HERE = frozenset({"relay.example", "localhost"})
CLOSED = Reply(550, ("5.7.1 relaying denied",))


def made(**table):
    """The aliases of a table such as `root="ops@example.com"`; `all_` is `*`."""
    names = {name.replace("all_", "*"): targets for name, targets in table.items()}
    aliases = {
        name: Alias(tuple(map(parse_target, targets.split(","))), f"aliases.{name}") for name, targets in names.items()
    }
    return resolve_aliases(aliases, HERE)


def to(*addresses, **asked):
    """An envelope to these; a name alone has no domain."""
    boxes = [parse_mailbox(each) if "@" in each else parse_target(each) for each in addresses]
    return Envelope(parse_mailbox("me@example.net"), tuple(Recipient(box, **asked) for box in boxes))


def expanded(aliases, *addresses):
    """Who gets it."""
    return [str(each.mailbox) for each in aliases.expanded(to(*addresses)).recipients]


OPS = made(root="ops@example.com", postmaster="root", team="a@example.com, b@example.com,ROOT")


@pytest.mark.parametrize("address", ["root", "Root@relay.example", "ROOT@localhost", "postmaster", '"root"@localhost'])
def test_local_names_are_what_their_alias_says(address):
    """Without a domain, at any name of the machine, in any case, and from alias to alias."""
    assert ["ops@example.com"] == expanded(OPS, address)


def test_several_addresses_are_each_there_once():
    """However many ways lead to them; those of elsewhere stay, in their order."""
    assert ["b@example.com", "a@example.com", "ops@example.com", "z@example.com"] == expanded(
        OPS, "b@example.com", "team", "root", "postmaster", "z@example.com"
    )


def test_mail_for_elsewhere_is_left_alone():
    """An envelope without local names stays the very same."""
    envelope = to("root@example.com", "root@sub.relay.example")
    assert OPS.expanded(envelope) is envelope


def test_everyone_is_for_who_has_no_alias():
    """`*` takes what nobody else has; a tag behind a plus is part of the name, as Postfix has it by default."""
    aliases = made(root="ops@example.com", all_="other@example.com")
    assert ["ops@example.com"] == expanded(aliases, "root")
    assert ["other@example.com"] == expanded(aliases, "root+cron")


def test_wishes_for_reports_go_along():
    """NOTIFY stays, and the original recipient is the one the sender wrote (RFC 3461 section 5.2.7.2)."""
    told = OPS.expanded(to("root@relay.example", notify=frozenset({"NEVER"}))).recipients[0]
    kept = OPS.expanded(to("root@relay.example", orcpt="rfc822;cron@host.example")).recipients[0]
    bare = OPS.expanded(to("postmaster")).recipients[0]
    assert ({"NEVER"}, "rfc822;root@relay.example") == (told.notify, told.orcpt)
    assert ("rfc822;cron@host.example", "rfc822;postmaster") == (kept.orcpt, bare.orcpt)


def test_an_alias_beyond_ascii_says_so():
    """The envelope then needs SMTPUTF8, though its client did not say it."""
    aliases = made(root="zoë@example.com")
    assert [True, False] == [aliases.expanded(to(each)).smtputf8 for each in ("root", "a@example.com")]


@pytest.mark.parametrize(
    ("address", "closed", "said"),
    [
        ("root@relay.example", None, None),
        ("nobody@relay.example", None, "5.1.1 no such user here"),
        ("nobody@example.com", None, None),
        ("nobody@example.com", CLOSED, "5.7.1"),
        ("root@relay.example", CLOSED, "5.7.1"),
        ("nobody@relay.example", CLOSED, "5.7.1"),
        ("postmaster", CLOSED, None),
        ("Postmaster@relay.example", CLOSED, None),
        ("postmaster@example.com", CLOSED, "5.7.1"),
    ],
)
def test_strangers_reach_the_postmaster_only(address, closed, said):
    """All others are for those who may relay, and a name without an alias is refused at once."""
    reply = OPS.refusal(to(address).recipients[0].mailbox, closed)
    assert (said is None) == (reply is None)
    if reply:
        assert 550 == reply.code
        assert reply.text.startswith(said) or reply.lines[0].startswith(said)


@pytest.mark.parametrize("closed", [None, CLOSED])
def test_postmaster_without_alias_is_told_which_setting_is_missing(closed):
    """It ought to be there (RFC 5321 section 4.5.1), so the refusal says how."""
    reply = Aliases().refusal(parse_target("postmaster"), closed)
    assert (550, True) == (reply.code, "[aliases]" in str(reply))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"root": "root"}, "aliases.root: the alias leads back to itself (root > root)"),
        ({"root": "ops", "ops": "Root@relay.example"},
         "aliases.root: the alias leads back to itself (root > ops > root)"),
        ({"root": "a@example.com,ops", "ops": "x", "x": "ops"}, "(root > ops > x > ops)"),
        ({"all_": "root"}, "aliases.*: the alias leads back to itself (* > *)"),
        ({"root": "ops"}, "aliases.root: ops is not an alias, and there are no mailboxes here"),
        ({f"a{n}": f"a{n + 1}" for n in range(60)}, "leads through more than 50 others (a0 > a1 > "),
    ],
)  # fmt: skip
def test_an_alias_that_leads_nowhere_is_an_error(table, why):
    """The loop is named, name by name."""
    with pytest.raises(ValueError, match=r"(?s).") as caught:
        made(**table)
    assert why in str(caught.value)


def test_an_alias_may_lead_through_fifty_others():
    """One more is too many, even if it led somewhere in the end."""

    def chain(others):
        return {f"a{n}": f"a{n + 1}" for n in range(others)} | {f"a{others}": "ops@example.com"}

    assert ["ops@example.com"] == expanded(made(**chain(49)), "a0")
    with pytest.raises(ValueError, match="leads through more than 50 others"):
        made(**chain(50))


FILE = """
# See man 5 aliases for format
postmaster:    root
Root: ops@example.com,
\tSecond@example.com
"mailer-daemon": postmaster
  # a remark in between
noc: "odd, name"@example.com, root
"""


def test_a_file_of_aliases_is_read():
    """As sendmail and Postfix have it: remarks, lines that go on, quotes, any case."""
    aliases = resolve_aliases(parse_aliases(FILE, "/etc/aliases"), HERE)
    both = ["ops@example.com", "Second@example.com"]
    assert [both, both, both] == [expanded(aliases, name) for name in ("root", "postmaster", "MAILER-DAEMON")]
    assert ['"odd, name"@example.com', *both] == expanded(aliases, "noc")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('a: "|/usr/bin/procmail"', 'line 2: \'"|/usr/bin/procmail"\': programs are not supported'),
        ("a: |/usr/bin/procmail", 'line 2: "|/usr/bin/procmail": programs are not supported'),
        ("a: b@example.com, /dev/null", 'line 2: "/dev/null": files are not supported'),
        ("a: :include:/etc/list", 'line 2: ":include:/etc/list": other files are not supported'),
        ("a:", "line 2: nothing is neither an address nor an alias"),
        ("a", "line 2: write `name: address, address`"),
        ("a@example.com: b@example.com", "line 2: write `name: address, address`, the name without a domain"),
        ("a: b c", 'line 2: "b c" is neither an address nor an alias'),
        ('a: "b', "line 2: a quote is not closed"),
        ("x: y@example.com", "line 2: x stands at /etc/aliases line 1 already"),
    ],
)  # fmt: skip
def test_what_is_no_alias_is_told_by_its_line(line, why):
    """Programs, files and lists are refused with words, not passed over."""
    with pytest.raises(ValueError, match=r"(?s).") as caught:
        parse_aliases(f"x: z@example.com\n{line}\n", "/etc/aliases")
    assert f"/etc/aliases {why}" in str(caught.value)


@given(st.text(alphabet='ab:,"|/# \t\n@\\.*', max_size=60))
def test_any_text_is_aliases_or_a_sentence(text):
    """Nothing else is raised, and what comes out has no local names left in it."""
    aliases, said = Aliases(), ""
    try:
        aliases = resolve_aliases(parse_aliases(text, "f"), HERE)
    except ValueError as problem:
        said = str(problem)
    assert not said or said.startswith("f line ")
    assert not any(aliases.is_local(box) for boxes in aliases.to.values() for box in boxes)


def test_whose_mail_nobody_gets_is_known():
    """Every machine has mail for root and postmaster: with an alias for both, or for all, none is missing."""
    tables = (
        {},
        {"root": "ops@example.com"},
        {"root": "ops@example.com", "postmaster": "root"},
        {"all_": "ops@b.example"},
    )
    assert [("root", "postmaster"), ("postmaster",), (), ()] == [made(**table).missing for table in tables]
