"""The books of a scenario: what was accepted, what arrived, what may have arrived twice."""

import asyncio
import re
import time
import zlib
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field

PATIENCE_S = 60.0  # without any change for so long nothing more is hoped for
LOOK_S = 0.02
NO_REPLY = 0  # in the place of a code
_SUM = re.compile(rb"^X-Test-Sum: (\d+)\r\n", re.MULTILINE)


class Ledger:
    """Mailboxes stand for deliveries: each message of a test has recipients of its own, never used again."""

    def __init__(self):
        self.accepted = set()
        self.taken = Counter()
        self.fresh = defaultdict(set)  # taken since the last start of a relay, by the address it came from
        self.damaged = set()
        self.reports = 0  # notifications that came back to the sender
        self.unanswered = 0  # taken by an exchanger that died before it said so
        self.doubtful = None  # those who may have a message once more, if it is known of each
        self.replies = Counter()  # what clients were told in place of what they hoped for

    def is_whole(self, content):
        """Whether nothing of a message of ours is missing or changed."""
        found = _SUM.search(content)
        return bool(found) and int(found[1]) == zlib.crc32(content.partition(b"\r\n\r\n")[2])

    def take(self, sender, mailboxes, content, source=""):
        """An exchanger has a whole message."""
        if not sender:
            self.reports += 1
            return
        is_whole = self.is_whole(content)
        for mailbox in mailboxes:
            self.taken[mailbox] += 1
            self.fresh[source].add(mailbox)
            if not is_whole:
                self.damaged.add(mailbox)

    def pop_fresh(self, source):
        """What was taken from there since the last such question; "": from anywhere."""
        if source:
            return self.fresh.pop(source, set())
        fresh = set().union(*self.fresh.values())
        self.fresh.clear()
        return fresh

    @property
    def missing(self):
        """Accepted, and not arrived."""
        return self.accepted - self.taken.keys()

    @property
    def unexplained(self):
        """Arrived more often than may be, where that is known of each."""
        if self.doubtful is None:
            return set()
        return {mailbox for mailbox, count in self.taken.items() if count > 1 + self.doubtful[mailbox]}

    @property
    def untold(self):
        """Arrived, and the client never heard that it was accepted."""
        return self.taken.keys() - self.accepted

    @property
    def duplicated(self):
        """Deliveries beyond the first."""
        return self.taken.total() - len(self.taken)


@dataclass
class Figures:
    """What a scenario found. `wrong`: a sentence for each promise broken. `skipped`: why it could not be played."""

    name: str
    kills: int = 0
    accepted: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    promised: int = 0  # duplicates at most
    seconds: float = 0.0
    notes: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    skipped: str = ""

    def close(self, ledger):
        """Add up, and hold it against the promises of docs/design/spool.md."""
        self.accepted, self.delivered = len(ledger.accepted), len(ledger.taken)
        self.lost, self.duplicated = len(ledger.missing), ledger.duplicated
        self.promised += ledger.unanswered
        self.must(self.accepted > 0, "nothing was accepted, so nothing was tried")
        self.must(self.lost == 0, f"accepted and lost: {sorted(ledger.missing)[:5]}")
        self.must(not ledger.replies[NO_REPLY], f"{ledger.replies[NO_REPLY]} times clients waited in vain for a reply")
        self.must(not ledger.damaged, f"arrived changed: {sorted(ledger.damaged)[:5]}")
        self.must(self.duplicated <= self.promised, f"{self.duplicated} duplicates, {self.promised} allowed")
        self.must(not ledger.unexplained, f"not in flight, and twice there: {sorted(ledger.unexplained)[:5]}")
        self.must(ledger.reports == 0, f"{ledger.reports} notifications for mail that could be delivered")

    def must(self, holds, otherwise):
        """Note a broken promise."""
        if not holds:
            self.wrong.append(otherwise)

    def as_dict(self):
        """For JSON."""
        return asdict(self)


async def until(condition, progress=lambda: None, patience_s=PATIENCE_S, look_s=LOOK_S):
    """Wait for a condition, for as long as there is progress; whether it came."""
    seen, changed_at = progress(), time.monotonic()
    while not condition():
        if (now := progress()) != seen:
            seen, changed_at = now, time.monotonic()
        if time.monotonic() - changed_at > patience_s:
            return False
        await asyncio.sleep(look_s)
    return True
