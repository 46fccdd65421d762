"""One line for a monitor, and its exit status, as in the Monitoring Plugins guidelines: text, a bar, numbers."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.rules import Checked, Severity
from postroad.views.findings import wording
from postroad.words.phrasebook import counted
from postroad.words.visible import defused

STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
NAMED = 3  # rules named in the line
ALARMS = frozenset({Severity.ERROR, Severity.WARNING})


def nagios_code(results: Sequence[Checked]) -> int:
    """0 nothing wrong, 1 warnings, 2 errors, 3 nothing worse than what could not be looked at."""
    total = wording.total(results)
    if total["error"]:
        return 2
    if total["warning"]:
        return 1
    return 3 if total[wording.INCONCLUSIVE] or not results else 0


def nagios(results: Sequence[Checked]) -> str:
    """The line. Notes are counted and never alarm."""
    total, code = wording.total(results), nagios_code(results)
    subject = defused(results[0].domain) if len(results) == 1 else counted(len(results), "domain")
    alarms = [each for result in results for each in result.findings if each.inconclusive or each.severity in ALARMS]
    rules = list(dict.fromkeys(each.rule for each in wording.worst_first(alarms)))
    named = f" ({', '.join([*rules[:NAMED], *(['...'] if len(rules) > NAMED else [])])})" if rules else ""
    perfdata = (
        f"errors={total['error']};;0;0 warnings={total['warning']};0;;0 "
        f"notes={total['note']};;;0 inconclusive={total[wording.INCONCLUSIVE]};;;0"
    )
    words = f"{subject}: {wording.tell(total)}{named}".replace("|", "/")  # a bar begins the numbers
    return f"MX {STATES[code]} - {words} | {perfdata}\n"
