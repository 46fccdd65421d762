"""`python -m tests.truth [SENDER...]`: how many rows each model explains, and which it does not, and why."""

import sys
from collections import Counter

from tests.truth.judge import Judgement, judge
from tests.truth.rows import FILES, all_rows


def main() -> None:
    """Print the table; exit status 1 if a row is missed and nobody knows why."""
    wanted = set(sys.argv[1:])
    judgements = [judge(row) for row in all_rows() if not wanted or row.data["sender"] in wanted]
    sys.stdout.write("\n".join([table(judgements), *missed(judgements), *asides(judgements), ""]))
    sys.exit(any(not (each.holds or each.known) for each in judgements))


def missed(judgements: list[Judgement]) -> list[str]:
    """The rows that do not hold, and why."""
    wrong = [each for each in judgements if not each.holds]
    lines = [f"  {each.row.data['sender']:<14} {each.row.file:<9} {each.row}: {each.why}" for each in wrong]
    return ["", f"{len(judgements) - len(wrong)} of {len(judgements)} rows hold. Missed:", *lines]


def asides(judgements: list[Judgement]) -> list[str]:
    """What was left aside in rows that hold."""
    notes = Counter((each.row.data["sender"], each.why) for each in judgements if each.holds and each.why)
    lines = [f"  {sender:<14} {count} rows: {why}" for (sender, why), count in sorted(notes.items())]
    return ["", "Held, with something left aside:", *lines]


def table(judgements: list[Judgement]) -> str:
    """Rows that hold of all rows, by sender and file."""
    senders = sorted({each.row.data["sender"] for each in judgements})
    lines = [f"{'rows held':<14}" + "".join(f"{file:>12}" for file in (*FILES, "all"))]
    for sender in senders:
        mine = [each for each in judgements if each.row.data["sender"] == sender]
        cells = [_cell([each for each in mine if each.row.file == file]) for file in FILES]
        lines.append(f"{sender:<14}" + "".join(f"{cell:>12}" for cell in (*cells, _cell(mine))))
    return "\n".join(lines)


def _cell(judgements: list[Judgement]) -> str:
    return f"{sum(each.holds for each in judgements)}/{len(judgements)}" if judgements else "-"


if __name__ == "__main__":
    main()
