"""`postroad send` and `postroad.send` sign what they send, if a key is given, and say why where they cannot."""

import asyncio
import io

import pytest
from tests.support.signing import ed25519_pem, key, verdicts

import postroad
from postroad.cli import main
from postroad.words.inputs import InputError

ED = ed25519_pem()
ZONE = "$ORIGIN example.net.\n@ MX 10 mail\nmail A 127.0.0.11\n"
TEXT = "From: Ann <ann@example.com>\nSubject: x\n\nhello\n"
TO = ["you@example.net"]


@pytest.fixture
def pem(tmp_path):
    """A key file, which others may not read."""
    path = tmp_path / "s1.pem"
    path.touch(mode=0o600)
    path.write_bytes(ED)
    return path


def sent_by(lab, text=TEXT, **how):
    """What a program sends; what arrived."""
    host, port = lab.resolver
    options = postroad.SendOptions(resolvers=[f"{host}:{port}"], port=lab.port, **how)
    asyncio.run(postroad.send(text, sender="me@example.net", recipients=TO, options=options))
    return lab.received[-1].content


@pytest.fixture
def command(monkeypatch, capsys):
    """A function that runs the command; its exit status, and what it says on stderr."""

    def call(lab, *words, text=TEXT):
        host, port = lab.resolver
        usual = ["--from", "me@example.net", "--to", *TO, "--resolver", f"{host}:{port}", "--port", str(lab.port)]
        monkeypatch.setattr("sys.argv", ["postroad", "send", *usual, *map(str, words)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, " ".join(capsys.readouterr().err.split())

    return call


def test_a_program_signs_with_a_key(postroad_lab, pem):
    """The domain is that of From, the selector the file's name; both may be given."""
    lab = postroad_lab(ZONE)
    assert [] == verdicts(sent_by(lab), key(octets=ED))
    assert [True] == verdicts(sent_by(lab, dkim_key=pem), key("s1", "example.com", ED))
    other = key("k2", "example.com", ED)
    text = TEXT.replace("example.com", "sub.example.com")
    assert [True] == verdicts(sent_by(lab, text, dkim_key=pem, dkim_selector="k2", dkim_domain="example.com"), other)


def test_the_command_signs_with_a_key(postroad_lab, pem, command):
    """The same options."""
    lab = postroad_lab(ZONE)
    assert (0, "") == command(lab, "--dkim-key", pem, "--dkim-selector", "k2", "--dkim-domain", "example.com")
    assert [True] == verdicts(lab.received[0].content, key("k2", "example.com", ED))


def test_the_command_signs_as_the_relay_does(postroad_lab, tmp_path, pem, command):
    """By the folder of the settings; mail of another domain goes out as it is."""
    (tmp_path / "keys" / "example.com").mkdir(parents=True)
    pem.rename(tmp_path / "keys" / "example.com" / "s1.pem")
    settings = tmp_path / "postroad.toml"
    settings.write_text('[dkim]\nkeys = "keys"\n')
    lab = postroad_lab(ZONE)
    for text in (TEXT, TEXT.replace("example.com", "example.org")):
        assert (0, "") == command(lab, "--config", settings, text=text)
    assert [[True], []] == [verdicts(each.content, key(octets=ED)) for each in lab.received]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--dkim-key", "PEM", "--dkim-domain", "example.org"],
            "is from example.com, but the key belongs to example.org",
        ),
        (["--dkim-selector", "k2"], "--dkim-selector and --dkim-domain are for --dkim-key, which is missing; add it"),
        (["--dkim-key", "PEM", "--config", "TOML"], "--dkim-key and --config both say how to sign; give one of them"),
        (["--config", "TOML"], "dkim.keys is not set, so it does not sign; set it, or leave out --config"),
        (["--dkim-key", "TOML"], "cannot sign: it is not a PEM file; it must be a private key"),
        (["--dkim-key", "none"], "none cannot be read: No such file or directory"),
        (["--dkim-key", "PEM", "--dkim-selector", "a b"], "its domain or selector is not a valid DNS name"),
    ],
)
def test_what_cannot_be_signed_is_wrong_usage(postroad_lab, tmp_path, pem, command, words, said):
    """Nothing is sent, and the sentence says what to change."""
    (tmp_path / "p.toml").write_text("hostname = 'relay.example.com'\n")
    (tmp_path / "p.toml").chmod(0o600)
    lab = postroad_lab(ZONE)
    status, told = command(lab, *(str({"PEM": pem, "TOML": tmp_path / "p.toml"}.get(word, word)) for word in words))
    assert (2, True, []) == (status, said in told, lab.received), told


def test_a_key_that_is_not_there_is_told_before_a_message_without_an_author(postroad_lab, tmp_path):
    """Whoever named the key by a slip has not written the message."""
    with pytest.raises(InputError, match="none cannot be read: No such file or directory; put a private key there"):
        sent_by(postroad_lab(ZONE), "Subject: x\n\nhello\n", dkim_key=tmp_path / "none")


@pytest.mark.parametrize("text", ["Subject: x\n\nhello\n", "From: a@example.com\nno field\n\nx\n"])
def test_a_message_without_an_author_is_not_signed(postroad_lab, pem, text):
    """A signature must cover From."""
    with pytest.raises(InputError, match="the message cannot be signed: "):
        sent_by(postroad_lab(ZONE), text, dkim_key=pem)


def test_a_key_that_does_not_sign_now(postroad_lab, pem):
    """Its own times hold here, too."""
    pem.write_bytes(b"Not-After: 2020-01-01\n" + ED)
    with pytest.raises(InputError, match=r"to example\.com, and .*s1\.pem is retired: it is not signed"):
        sent_by(postroad_lab(ZONE), dkim_key=pem)


def test_options_without_a_key():
    """They would do nothing."""
    with pytest.raises(InputError, match="dkim_key, which is missing"):
        postroad.SendOptions(dkim_selector="x")
