"""The lines of SMTP, one by one: what is a command, what is none, and which reply says so."""

import pytest

from postroad.smtp import Auth, BadSyntax, Bdat, Data, Ehlo, Mail, Rcpt, parse_command
from postroad.smtp.grammar import FORMATS, decode_xtext, encode_xtext
from postroad.words.mail import Mailbox, Recipient
from postroad.words.reply import Reply

ANN = Mailbox("ann", "example.com")
LONG = "X" * 60

WRONG = {
    b"NOOP \xff": "500 5.5.2 the command is neither ASCII nor UTF-8",
    b"NOOP \x07": "500 5.5.2 a control character in a command",
    b"NOOP \x7f": "500 5.5.2 a control character in a command",
    b"BOGUS": "500 5.5.1 unknown command",
    b"MAIL <>": "501 5.5.4 write MAIL FROM:<mailbox>",
    b"RCPT <>": "501 5.5.4 write RCPT TO:<mailbox>",
    b"MAIL FROM:<@example.com>": "553 5.1.3 write an address as user@domain",
    b"MAIL FROM:<@a.example,@b.example:>": "553 5.1.3 write an address as user@domain",
    b"MAIL FROM:<@>": "553 5.1.3 write an address as user@domain",
    b"RCPT TO:<@a.example:>": "553 5.1.3 write an address as user@domain",
    b"MAIL FROM:<> SIZE=1 size=2": "501 5.5.4 parameter size given twice",
    b"MAIL FROM:<> %b=1 %b=2" % ((LONG.encode(),) * 2): f"501 5.5.4 parameter {LONG[:40]} given twice",
    b"MAIL FROM:<> %b=" % LONG.encode(): f"501 5.5.4 parameter {LONG[:40]} has no value behind its =",
    b"MAIL FROM:<> %b=1" % LONG.encode(): f"555 5.5.4 unknown parameter {LONG[:40]}",
    b"RCPT TO:<a@b.example> %b=1" % LONG.encode(): f"555 5.5.4 unknown parameter {LONG[:40]}",
    b"MAIL FROM:<> SIZE=x": "501 5.5.4 invalid value for SIZE",
    b"MAIL FROM:<> SIZE=" + b"1" * 21: "501 5.5.4 invalid value for SIZE",
    b"MAIL FROM:<> BODY=9BIT": "501 5.5.4 invalid value for BODY",
    b"MAIL FROM:<> RET=BODY": "501 5.5.4 invalid value for RET",
    b"MAIL FROM:<> ENVID=" + b"x" * 101: "501 5.5.4 invalid value for ENVID",
    b"MAIL FROM:<> ENVID": "501 5.5.4 invalid value for ENVID",
    b"MAIL FROM:<> ENVID=a+b": "501 5.5.4 invalid value for ENVID",
    b"MAIL FROM:<> AUTH": "501 5.5.4 invalid value for AUTH",
    b"MAIL FROM:<> AUTH=a+b": "501 5.5.4 invalid value for AUTH",
    b"RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY": "501 5.5.4 invalid value for NOTIFY",
    b"RCPT TO:<a@b.example> NOTIFY=OFTEN": "501 5.5.4 invalid value for NOTIFY",
    b"RCPT TO:<a@b.example> ORCPT=rfc822;": "501 5.5.4 invalid value for ORCPT",
    b"RCPT TO:<a@b.example> ORCPT=;a": "501 5.5.4 invalid value for ORCPT",
    b"RCPT TO:<a@b.example> ORCPT=rfc822": "501 5.5.4 invalid value for ORCPT",
    b"EHLO": "501 5.5.4 a host name is required",
    b"HELO a b": "501 5.5.4 a host name is required",
    b"BDAT": "501 5.5.4 Syntax: BDAT octets [LAST]",
    b"BDAT 5 FIRST": "501 5.5.4 Syntax: BDAT octets [LAST]",
    b"BDAT x LAST": "501 5.5.4 Syntax: BDAT octets [LAST]",
    b"AUTH": "501 5.5.4 Syntax: AUTH mechanism [initial-response]",
    b"DATA now": "501 5.5.4 this command takes no parameters",
    b"VRFY": "501 5.5.4 a parameter is missing",
    b"EXPN": "501 5.5.4 a parameter is missing",
}

RIGHT = {
    b"mail from: <ann@EXAMPLE.com>": Mail(ANN),
    b"MAIL FROM:<> SIZE=" + b"1" * 20: Mail(None, size=int("1" * 20)),
    b"MAIL FROM:<> BODY=8bitmime RET=hdrs": Mail(None, body="8BITMIME", ret="HDRS"),
    b"MAIL FROM:<> ENVID=" + b"x" * 100: Mail(None, envid="x" * 100),
    b"MAIL FROM:<> ENVID=a+2Bb+3D": Mail(None, envid="a+b="),
    b"MAIL FROM:<> AUTH=<>": Mail(None, auth=""),
    b"MAIL FROM:<> AUTH=ann+2Bx@example.com": Mail(None, auth="ann+x@example.com"),
    b"RCPT TO:<ann@example.com> NOTIFY=NEVER": Rcpt(Recipient(ANN, frozenset({"NEVER"}))),
    b"RCPT TO:<ann@example.com> NOTIFY=delay,SUCCESS,FAILURE": Rcpt(
        Recipient(ANN, frozenset({"DELAY", "SUCCESS", "FAILURE"}))
    ),
    b"RCPT TO:<ann@example.com> ORCPT=rfc822;b+2Bc": Rcpt(Recipient(ANN, orcpt="rfc822;b+c")),
    b"BDAT 5 last": Bdat(5, last=True),
    b"BDAT 5": Bdat(5),
    b"data ": Data(),
    b"EHLO me": Ehlo("me"),
    b"AUTH plain": Auth("PLAIN"),
    b"AUTH PLAIN =": Auth("PLAIN", ""),
    b"AUTH LOGIN YQ==": Auth("LOGIN", "YQ=="),
}


@pytest.mark.parametrize(("line", "said"), WRONG.items())
def test_what_is_no_command_has_its_reply(line, said):
    """With what is wrong, and of what the client wrote no more than its beginning."""
    assert BadSyntax(Reply(int(said[:3]), (said[4:],))) == parse_command(line)


@pytest.mark.parametrize(("line", "command"), RIGHT.items())
def test_what_is_a_command_is_read(line, command):
    """Words in any case, values at their limits, xtext as what it stands for."""
    assert command == parse_command(line)


@pytest.mark.parametrize("command", [Auth("PLAIN"), Auth("PLAIN", ""), Auth("LOGIN", "YQ=="), Mail(ANN, auth=""),
                                     Mail(ANN, auth="ann+x@example.com")])  # fmt: skip
def test_who_somebody_is_comes_back_as_it_went(command):
    """No initial response is another thing than an empty one (RFC 4954 section 4), and so is no AUTH at MAIL."""
    assert command == parse_command(FORMATS[type(command)](command).encode())


def test_xtext_writes_out_what_could_be_read_otherwise():
    """All of printable ASCII but `+` and `=` stands for itself (RFC 3461 section 4); and it is read back."""
    written = {chr(code): encode_xtext(chr(code)) for code in range(128)}
    plain = {chr(code) for code in range(33, 127)} - set("+=")
    assert plain == {character for character, text in written.items() if character == text}
    assert {character: f"+{ord(character):02X}" for character in written.keys() - plain} == {
        character: text for character, text in written.items() if character != text
    }
    assert list(written) == [decode_xtext(text) for text in written.values()]
