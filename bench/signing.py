"""Processor time of DKIM signatures: a message of 4 KiB with each kind of key, and the body hash of large ones."""

import time

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from postroad.sign import BodyHash, Form, SigningKey, SigningPolicy

MOST_MS = 0.35  # for RSA 2048
TURNS, ROUNDS = 500, 5
HEADER = (
    b"Received: from client.example ([192.0.2.7])\r\n\tby relay.example with ESMTP\r\n\tid 1; now\r\n"
    b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: the usual\r\n"
    b"Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@client.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)
LINE = b"As any other line of it, and  none that is odd.\r\n"
MESSAGE = HEADER + LINE * ((4096 - len(HEADER)) // len(LINE))
PIECES = {
    "text, relaxed": (Form.RELAXED, LINE * 5000),
    "base64, relaxed": (Form.RELAXED, (b"aGVsbG8g" * 9 + b"\r\n") * 3300),
    "text, simple": (Form.SIMPLE, LINE * 5000),
}


def key(private):
    """A key of the author's domain."""
    return SigningKey("example.com", "s", private)


def cost_ms(work):
    """The least processor time of it, of several rounds: what disturbs it only adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(TURNS):
            work()
        best = min(best, (time.process_time() - begin) / TURNS * 1000)
    return best


def main():
    """Print all figures; exit status 1 if RSA takes longer than it may."""
    small, large = (key(rsa.generate_private_key(65537, bits)) for bits in (2048, 4096))
    curve = key(ed25519.Ed25519PrivateKey.generate())
    sets = {"RSA 2048": (small,), "Ed25519": (curve,), "RSA 2048 and Ed25519": (small, curve), "RSA 4096": (large,)}
    costs = {}
    for name, keys in sets.items():
        policy = SigningPolicy({"example.com": keys})
        costs[name] = cost_ms(lambda policy=policy: policy.signed(MESSAGE, 1_800_000_000.0))
        print(f"{name:<22}{costs[name]:8.3f} ms a message of {len(MESSAGE)} octets")
    for name, (form, octets) in PIECES.items():
        body = BodyHash(form)
        took = cost_ms(lambda body=body, octets=octets: body.update(octets)) / len(octets) * 2**20
        print(f"{name:<22}{took:8.3f} ms a MiB of body")
    return int(costs["RSA 2048"] > MOST_MS)


if __name__ == "__main__":
    raise SystemExit(main())
