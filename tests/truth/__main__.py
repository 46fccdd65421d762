"""`python -m tests.truth [SENDER...]`: how many rows each model explains, and which it does not, and why."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable

from tests.truth.judge import Judgement, Verdict, judge
from tests.truth.rows import all_rows


def main() -> None:
    """Print the tables; exit status 1 if a row is missed."""
    wanted = set(sys.argv[1:])
    judgements = [judge(row, tries=True) for row in all_rows() if not wanted or row.sender in wanted]
    by_sender = table("sender", judgements, lambda each: each.row.sender)
    by_kind = table("kind", judgements, lambda each: each.row.kind)
    sys.stdout.write("\n".join([*by_sender, "", *by_kind, *reasons(judgements), ""]))
    sys.exit(any(each.verdict is Verdict.MISSED for each in judgements))


def table(title: str, judgements: list[Judgement], key: Callable[[Judgement], str]) -> list[str]:
    """Rows held of those judged, and those left aside, by a key."""
    groups: dict[str, list[Judgement]] = {}
    for each in sorted(judgements, key=key):
        groups.setdefault(key(each), []).append(each)
    lines = [_line(name, group) for name, group in [*groups.items(), ("all", judgements)]]
    return [f"{title:<18}{'held':>7}{'judged':>8}{'aside':>7}", *lines]


def _line(name: str, group: Iterable[Judgement]) -> str:
    counts = Counter(each.verdict for each in group)
    judged = counts[Verdict.HELD] + counts[Verdict.MISSED]
    share = f"{counts[Verdict.HELD] / judged:9.1%}" if judged else ""
    return f"{name:<18}{counts[Verdict.HELD]:>7}{judged:>8}{counts[Verdict.ASIDE]:>7}{share}"


def reasons(judgements: list[Judgement]) -> list[str]:
    """The rows that were missed and why, and what was left aside."""
    missed = [each for each in judgements if each.verdict is Verdict.MISSED]
    aside = Counter((each.row.sender, each.why) for each in judgements if each.verdict is Verdict.ASIDE)
    return [
        "",
        "Missed:",
        *(f"  {each.row.sender:<14} {each.row.file:<9} {each.row}: {each.why}" for each in missed),
        "",
        "Left aside:",
        *(f"  {sender:<14} {count} rows: {why}" for (sender, why), count in sorted(aside.items())),
    ]


if __name__ == "__main__":
    main()
