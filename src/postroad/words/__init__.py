"""The types that every room shares (floor 0): no I/O, no clock, no randomness.

Rule 1: nothing here asks the network, the disk, the time or a dice.
Rule 2: values are immutable; what cannot be read becomes an `Unreadable`, never an exception.
Rule 3: results have three names, everywhere: delivered, deferred, failed.

Stops: `names` (domains and addresses), `mail` (mailboxes, envelopes), `addresslist` (as in To), `reply` (what an SMTP
server says), `facts` (what DNS said), `policies` (what a domain publishes beside it), `snapshot` (all that was said of
a domain), `providers` (who runs an exchanger), `tls` (what a connection has to prove, and proved), `sessions` (what a
server showed), `faults` (how an exchanger misbehaves), `outcome` (what became of it), `trail` (where an attempt went),
`record` and `tlsrecord` (the same, to last), `trace` (steps told live). Of text: `phrasebook` (shares, times, counts
and lists as people read them), `visible` (what strangers wrote, fit to be shown), `moments` (times as people type
them), `inputs` (what a caller gave and nobody can use), `bounds` (what a number may be), `toml`, `jsontext`. Of the
house: `doors` (how rooms are opened), `light` (how those are made that are made for each message).
"""
