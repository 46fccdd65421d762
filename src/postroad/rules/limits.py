"""Every threshold of a rule. Each is pinned from both sides: if it moves by a step, a test fails."""

from __future__ import annotations

MANY_RECORDS, TOO_MANY_RECORDS = 10, 100  # the limits of SPF, and of senders: sendmail's MAXMXHOSTS, and our own
LAST_PREFERENCE = 65_000  # what stands here has no room behind it; 65535 is the end
SKEW_PERCENT = 20  # of the first contacts: more than sampling error, and what a server is sized by
POOL = 3  # a primary and a backup are a pair; three numbered alike look like a pool
SITE_4, SITE_6 = 24, 48  # prefixes: what one site is given, what is routed on its own, and what one router takes down

MIN_TTL_S = 60
MAX_TTL_S = 86_400
PLAIN_OCTETS = 512  # what a client without EDNS takes over UDP
SAFE_OCTETS = 1232  # what passes unfragmented everywhere, and most servers send at most

SLOW_MS = 5_000
VERY_SLOW_MS = 30_000

SPF_EXCHANGERS = 10  # RFC 7208 section 4.6.4
SPF_VOID = 2  # the same
STS_AGE_S = 86_400
CERTIFICATE_S = 14 * 86_400  # renewals run weeks before the end
