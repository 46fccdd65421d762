"""Rules that find what will fail before it fails (floor 1).

Rule 1: one function a rule; it is given Evidence and yields Findings; it asks nothing and knows no time but `now`.
Rule 2: silent where nothing is wrong: a false alarm is a defect, and what could not be looked at is inconclusive.
Rule 3: an id is for ever. A finding says what was seen; the rule says why it matters and where that is written.

Stops: `nouns` (evidence, findings, rules).
"""
