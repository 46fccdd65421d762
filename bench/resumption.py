"""What a resumed TLS handshake would save: the processor time of each side, full and by a ticket, and of the judgement.

In memory, one connection after the other: `python -m bench.resumption`. The decision on TLS sessions goes by it.
"""

import ssl
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import crypto

from postroad.tls import Trust, judge
from postroad.words.tls import Authority, Demand, TlsLevel

HOST = "mx.example.com"
DEMAND = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "policy", (HOST,))
ROUNDS = 100
STEPS = 20  # of a handshake: more would be none


def key(kind):
    """A private key."""
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def certificate(subject, issuer, public, signer, *, is_authority):
    """A certificate of three months."""
    name, by = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in (subject, issuer))
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(by).public_key(public)
    built = built.serial_number(x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(90))
    built = built.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    if not is_authority:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    return built.sign(signer, hashes.SHA256())


def chain(kind, folder):
    """A server's file of key, certificate and intermediate authority, and the root of that."""
    root, middle, leaf = key("rsa"), key(kind), key(kind)
    made = (
        certificate(HOST, "middle", leaf.public_key(), middle, is_authority=False),
        certificate("middle", "root", middle.public_key(), root, is_authority=True),
    )
    pem = serialization.Encoding.PEM
    private = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = Path(folder) / f"{kind}.pem"
    file.write_bytes(private + b"".join(each.public_bytes(pem) for each in made))
    return file, certificate("root", "root", root.public_key(), root, is_authority=True)


class Side:
    """One end of a connection in memory, and the processor time it took."""

    def __init__(self, context, **how):
        self.into, self.out, self.took = ssl.MemoryBIO(), ssl.MemoryBIO(), 0.0
        self.tls = context.wrap_bio(self.into, self.out, **how)

    def do(self, what, *given):
        """Do something, as far as it goes; whether it is done."""
        begun = time.process_time()
        try:
            getattr(self.tls, what)(*given)
        except ssl.SSLWantReadError:
            return False
        finally:
            self.took += time.process_time() - begun
        return True


def connect(ours, theirs, session):
    """A handshake, and the first line after it, with which a ticket of TLS 1.3 comes; our end, theirs, and octets."""
    client, server = Side(ours, server_hostname=HOST, session=session), Side(theirs, server_side=True)
    octets, is_done = 0, [False, False]
    for _ in range(STEPS):
        for place, (here, there) in enumerate(((client, server), (server, client))):
            is_done[place] = is_done[place] or here.do("do_handshake")
            said = here.out.read()
            octets += len(said)
            there.into.write(said)
        if all(is_done):
            break
    server.do("write", b"250 hello\r\n")
    said = server.out.read()
    client.into.write(said)
    client.do("read", 100)
    return client, server, octets + len(said)


def shown(tls):
    """The certificates of a peer, in DER; none of a resumed session, which has the first one alone."""
    found = tls._sslobj.get_unverified_chain()  # noqa: SLF001  # Python 3.13 has a public name
    return tuple(ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found or ())


def measure(kind, version, folder):
    """A line of figures."""
    file, root = chain(kind, folder)
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.load_cert_chain(file)
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    for each in (theirs, ours):
        each.minimum_version = each.maximum_version = version
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(root))
    trust, rows, judged = Trust(lambda: store), {False: [], True: []}, []
    session, certificates = None, ()
    for number in range(2 * ROUNDS):
        is_resumed = number >= ROUNDS
        client, server, octets = connect(ours, theirs, session if is_resumed else None)
        session = client.tls.session
        rows[client.tls.session_reused].append((client.took, server.took, octets))
        certificates = shown(client.tls) or certificates
        begun = time.process_time()
        proof = judge(certificates, DEMAND, HOST, trust, time.time())
        judged.append(time.process_time() - begun)
        if proof.level is not TlsLevel.PROVEN:
            raise SystemExit(proof.miss)
    told = []
    for word, some in (("full", rows[False]), ("resumed", rows[True])):
        ms = [1000 * median(row[place] for row in some) for place in (0, 1)]
        told.append(f"{word} ({len(some)}): ours {ms[0]:.2f}, theirs {ms[1]:.2f} ms, {some[-1][2]} octets")
    print(f"{version.name} {kind}: {'; '.join(told)}; judging {1000 * median(judged):.2f} ms", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for kind in ("rsa", "ec"):
            for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                measure(kind, version, place)
