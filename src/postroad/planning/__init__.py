"""What a domain's records mean (floor 1): who is overloaded, what survives, what a change does, what to change.

Rule 1: pure, and every number is a forecast of `simulation`; what is sampled says so.
Rule 2: senders are asked together, as a crowd, and told by what they have in common.

Stops: `records` (the servers and lines of a snapshot), `crowd` (several senders asked together), `standing` (all
that is known of one set of records), `survival` and `fates` (what is lost with what), `traffic` (DNS questions and
octets), `compare` (sets side by side), `repair` (edits that are possible), `advise` (those worth it), `setups` and
`answers` (the reference set-ups), `phrases` (numbers in words).
"""
