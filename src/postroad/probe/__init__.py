"""One polite SMTP session with an address, and what it showed (floor 4).

Rule 1: one connection an address, no mail, QUIT at the end; a second only to read a certificate that is not trusted.
Rule 2: what fails is a fact of the Probe, never an exception; what fails here (no route, no sockets) is `ours`.
Rule 3: recipients are asked for only in a deep probe, which its owner has confirmed; nothing is ever sent to them.

Stops: `probe` (one address), `survey` (all of them, after a control target said that port 25 is open from here),
`certificate` (what a server showed).
"""

from postroad.probe.probe import ProbeSettings, Subject, probe
from postroad.probe.survey import Survey, survey

__all__ = ["ProbeSettings", "Subject", "Survey", "probe", "survey"]
