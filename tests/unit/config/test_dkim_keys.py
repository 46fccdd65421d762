"""The keys that sign mail: a folder of them, everything wrong with it at once, and what is hardly meant."""

import os
from functools import partial
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.support.signing import ed25519_pem, pem, rsa_pem

from postroad.build import build_signing, load_key, load_keys
from postroad.config import Config, brief_of, load_brief, read, survey, warnings
from postroad.relay import problems, relay_settings
from postroad.sign import Form, KeyState
from postroad.words.inputs import InputError

ED = ed25519_pem()


@pytest.fixture
def keys(tmp_path):
    """A function that puts key files into the folder, and gives it."""

    def put(**files):
        folder = tmp_path / "dkim"
        folder.mkdir(exist_ok=True)
        for name, octets in files.items():
            path = folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(octets)
            path.chmod(0o600)
        return folder

    return put


def config_of(folder, more=""):
    """Settings with this folder."""
    return read(f'hostname = "relay.example"\n[dkim]\nkeys = "{folder}"\n{more}', Path("/etc/postroad/postroad.toml"))


def wrong(folder):
    """What the settings' check says, without the folder's own path."""
    said = [each.replace(f"{folder}", "DIR") for each in problems(config_of(folder)) if each.startswith("dkim")]
    return [each.removeprefix("dkim.keys: ") for each in said]


def test_nothing_is_signed_unless_it_is_set():
    """Without a folder there is no policy, and nothing of signing is looked at."""
    assert None is build_signing(Config().dkim)
    assert None is relay_settings(read("", Path("p.toml"))).signing


def test_a_folder_of_keys(keys):
    """DOMAIN/SELECTOR.pem: each is under its name in DNS, and records kept beside them are left alone."""
    folder = keys(
        example_com__2026a_pem=ED, example_com__2026b_pem=b"Not-Before: never\n" + ED, example_com__2026a_txt=b"TXT"
    )
    keys(example_net__s_1_pem=rsa_pem(), example_com___hidden=b"")
    found = load_keys(folder)
    assert ["2026a._domainkey.example.com", "2026b._domainkey.example.com", "s.1._domainkey.example.net"] == [
        key.name for key in found
    ]
    assert [KeyState.ACTIVE, KeyState.WAITING, KeyState.ACTIVE] == [key.state(2e9) for key in found]


def test_the_settings_reach_the_signer(keys):
    """Each key of the table."""
    folder = keys(example_com__s_pem=ED)
    usual = relay_settings(config_of(folder)).signing
    assert (False, Form.RELAXED, Form.RELAXED, 0) == (usual.subdomains, usual.header, usual.body, usual.valid_s)
    other = relay_settings(
        config_of(folder, 'subdomains = true\ncanonicalization = "relaxed/simple"\nvalid = "30 days"')
    ).signing
    assert (True, Form.RELAXED, Form.SIMPLE, 30 * 86400) == (
        *(other.subdomains, other.header),
        *(other.body, other.valid_s),
    )


def test_all_that_is_wrong_is_told_at_once(keys):
    """Each key file in a sentence of its own, with the command that fixes it where there is one."""
    folder = keys(
        example_com__a_pem=b"text",
        example_com__b_pem=pem(ec.generate_private_key(ec.SECP256R1())),
        example_com__c_private=ED,
        example_com__d_pem=ED,
        example_com__e_pem=ED,
        example_com__f_pem=b"Not-Before: soon\n" + ED,
        example__g_pem=ED,
        stray_pem=ED,
    )
    keys(**{"no domain__h_pem": ED})
    (folder / "example.com" / "d.pem").chmod(0o604)
    (folder / "example.com" / "g.pem").mkdir()
    make = "make one with: postroad dkim new DOMAIN"
    layout = "a key is DOMAIN/SELECTOR.pem in that folder, such as example.com/2026a.pem"
    assert [
        f"DIR/example.com/a.pem cannot sign: it is not a PEM file; it must be a private key; {make}",
        f"DIR/example.com/b.pem cannot sign: it is of the type EC, and DKIM has RSA and Ed25519 only; {make}",
        "DIR/example.com/c.private does not have the name of a key; rename it to SELECTOR.pem, or put it elsewhere",
        "DIR/example.com/d.pem can be read by every user of this machine; run: chmod o-rwx DIR/example.com/d.pem",
        'DIR/example.com/f.pem cannot sign: Not-Before has no time; write "Not-Before: 2026-12-01T00:00:00Z"',
        "DIR/example.com/g.pem cannot be read: Is a directory; "
        "put a private key there that this user may read, or move it elsewhere",
        f"DIR/no domain is not named for a domain (the label 'no domain' has a character no domain name has); {layout}",
        f"DIR/stray.pem is not in the folder of a domain; {layout}",
    ] == wrong(folder)


def test_two_keys_under_one_name(keys):
    """Names in DNS have no case."""
    folder = keys(example_com__s_pem=ED, example_com__S_pem=ED)
    assert ["DIR: there are two keys for s._domainkey.example.com; give each its own selector"] == wrong(folder)


def test_a_folder_that_is_not_there(tmp_path):
    """What it should look like is said, too."""
    (said,) = wrong(tmp_path / "none")
    assert said.startswith("DIR cannot be read (No such file or directory); give a folder that this user may read: ")


def test_a_folder_that_everybody_can_change(keys):
    """Whoever puts a key there signs as us."""
    folder = keys(example_com__s_pem=ED)
    for where in (folder, folder / "example.com"):
        where.chmod(0o777)
        assert [True] == [
            "can be changed by every user of this machine; run: chmod o-w DIR" in each for each in wrong(folder)
        ]
        where.chmod(0o755)
    assert [] == wrong(folder)


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_key_of_another_user(keys):
    """The system's own reason."""
    folder = keys(example_com__s_pem=ED)
    (folder / "example.com" / "s.pem").chmod(0)
    assert ["DIR/example.com/s.pem cannot be read: Permission denied; put a private key there"] == [
        each[:82] for each in wrong(folder)
    ]


def test_group_may_read(keys):
    """Owned by root and readable by the relay's group is how many install keys."""
    folder = keys(example_com__s_pem=ED)
    (folder / "example.com" / "s.pem").chmod(0o640)
    assert [] == wrong(folder)


def test_only_a_folder_without_any_file_is_doubted(keys, tmp_path):
    """Where there is an error, or a key that is one, nothing is said of a lack of keys."""
    (tmp_path / "file").touch()
    folder = keys(example_com__s_pem=b"none")
    doubted = [
        any("has no keys" in each for each in warnings(config_of(each)))
        for each in (tmp_path / "none", tmp_path / "file", folder)
    ]
    (folder / "example.com" / "s.pem").rename(folder / "s.pem")
    doubted.append(any("has no keys" in each for each in warnings(config_of(folder))))
    (folder / "s.pem").rename(folder / "example.com" / "s.private")
    doubted.append(any("has no keys" in each for each in warnings(config_of(folder))))
    (folder / "example.com" / "s.private").rename(folder / "example.com" / "s.txt")
    assert ([False] * 5, True) == (doubted, any("has no keys" in each for each in warnings(config_of(folder))))


def test_a_file_with_a_line_end_in_its_name_is_told_of_in_one_line(keys):
    """Whoever may write there could else write lines of ours."""
    folder = keys(**{"example_com__a\nb_pem": ED})
    assert ["DIR/example.com/a\\nb.pem cannot sign"] == [each.partition(":")[0] for each in wrong(folder)]


def test_a_folder_of_other_files_is_told_of_in_twenty_lines(tmp_path):
    """Whoever writes keys = "/bin" needs no line for each program."""
    for number in range(100):
        (tmp_path / f"{number}").touch()
    told = wrong(tmp_path)
    assert (20, "and 81 more errors") == (len(told), told[-1])


@pytest.mark.parametrize(("bits", "is_told"), [(1024, True), (2048, False)])
def test_a_short_key_is_doubted(keys, bits, is_told):
    """RFC 8301: 1024 bits are allowed, 2048 are what should be."""
    folder = keys(example_com__s_pem=rsa_pem(bits))
    said = [each for each in warnings(config_of(folder)) if each.startswith("dkim")]
    path = folder / "example.com" / "s.pem"
    sentence = f"dkim.keys: {path} has 1024 bits, which some receivers ignore; use a key of 2048 (RFC 8301)"
    assert ([sentence] if is_told else []) == said


def small():
    """A key of 512 bits, which no library makes any more."""
    dice, primes = Random(1), []
    while len(primes) < 2:
        number = dice.getrandbits(256) | 3 << 254 | 1
        primes += [number] if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11, 13, 17)) else []
    p, q = primes
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    private = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return pem(private.private_key(unsafe_skip_rsa_key_validation=True))


def big():
    """A key of 4484 bits, of primes that are known (Mersenne's), for to find some takes seconds."""
    p, q = 2**2281 - 1, 2**2203 - 1
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    private = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return pem(private.private_key(unsafe_skip_rsa_key_validation=True))


def test_a_key_that_is_too_long_is_doubted(keys, monkeypatch):
    """It signs all the same. That its primes are some is known, and OpenSSL would take a second to find out."""
    unproved = partial(serialization.load_pem_private_key, unsafe_skip_rsa_key_validation=True)
    monkeypatch.setattr(serialization, "load_pem_private_key", unproved)
    folder = keys(example_com__s_pem=big())
    (said,) = (each for each in warnings(config_of(folder)) if each.startswith("dkim"))
    path = folder / "example.com" / "s.pem"
    assert said == (
        f"dkim.keys: {path} has 4484 bits: each signature holds up the relay, and receivers need not accept it; "
        "use a key of 2048"
    )
    assert [] == wrong(folder)


NEVER, OVER, SOON = b"Not-Before: never\n", b"Not-After: 2020-01-01\n", b"Not-Before: 9000-01-01\n"


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        (NEVER, NEVER, True), (NEVER, OVER, True), (OVER, OVER, True),
        (NEVER, b"", False), (NEVER, SOON, False), (OVER, SOON, False), (b"", b"", False),
    ],
)  # fmt: skip
def test_a_domain_whose_keys_never_sign_is_doubted(keys, first, second, is_told):
    """One that waits for its rotation does so beside another that signs, or will."""
    folder = keys(example_com__a_pem=first + ED, example_com__b_pem=second + ED, example_net__c_pem=ED)
    said = [each for each in warnings(config_of(folder)) if each.startswith("dkim")]
    sentence = (
        f"dkim.keys: no key in {folder / 'example.com'} signs, now or later (Not-Before: never, or past Not-After); "
        "delete the line Not-Before of one, or run: postroad dkim rotate"
    )
    assert ([sentence] if is_told else []) == said


def test_a_key_of_less_is_refused(keys):
    """RFC 8301: receivers must not believe it."""
    folder = keys(example_com__s_pem=small())
    (said,) = (each.replace(str(folder), "DIR") for each in wrong(folder))
    assert said.startswith("DIR/example.com/s.pem cannot sign: it has 512 bits, and receivers ignore less than 1024; ")


def test_what_is_hardly_meant(keys):
    """A folder without keys, and signatures that end before the mail that has them."""
    said = [each for each in warnings(config_of(keys(), 'valid = "2 days"')) if each.startswith("dkim")]
    assert [True, True] == ["retry.expiry" in said[0], "has no keys, so nothing is signed" in said[1]]


def test_sendmail_reads_the_same(keys, tmp_path):
    """In short where the file says nothing unusual, else in full."""
    folder = keys(example_com__s_pem=ED)
    for text in ("", "subdomains = true\n", 'canonicalization = "simple/simple"\nvalid = "30d"\n'):
        path = tmp_path / "postroad.toml"
        path.write_text(f'[dkim]\nkeys = "{folder.name}"\n{text}')
        assert brief_of(read(path.read_text(), path)) == load_brief(path)
        assert load_brief(path).dkim.keys == folder


def test_one_key_from_a_file(keys):
    """For a message that is sent by hand."""
    path = keys(example_com__s_pem=ED) / "example.com" / "s.pem"
    assert "x._domainkey.example.org" == load_key(path, "example.org", "x").name
    path.chmod(0o644)
    with pytest.raises(InputError, match=r"can be read by every user of this machine; run: chmod o-rwx"):
        load_key(path, "example.org", "x")


def test_a_check_names_other_faults_too(keys, tmp_path):
    """What is wrong with the keys hides nothing else."""
    folder = keys(example_com__a_pem=b"text")
    path = tmp_path / "postroad.toml"
    path.write_text(f'[dkim]\nkeys = "{folder}"\n[relay]\nusers = "none"\n')
    _, config = survey(path)
    said = list(problems(config))
    assert [True, True] == [any("a.pem" in each for each in said), any("none" in each for each in said)]
