"""The commands with their options, as manual pages and completions have them: from what `--help` says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args

import typer
from typer.main import get_command

from postroad.cli.root import app
from postroad.config.model import TlsMode
from postroad.routing import PROCEDURES
from postroad.rules import RULES
from postroad.simulation import MIXES, SENDERS, DnsOrder
from postroad.spool import State

EXIT_STATUS = "0 done, 1 findings or failed, 2 usage error, 3 temporary failure, 74 standard output cannot be written."
VALUES = {
    "--dns-order": list(DnsOrder),
    "--ignore": list(RULES),
    "--mix": list(MIXES),
    "--procedure": list(PROCEDURES),
    "--sender NAME|FILE.toml": list(SENDERS),
    "--state": list(State),
    "--tls MODE": list(get_args(TlsMode)),
    "postroad rules": list(RULES),
    "postroad senders": list(SENDERS),
}
"""What completes an option or the arguments of a command, where its type does not say it."""
FILES = ("FILE", "DIR", "PLACE", "NAME|FILE")


@dataclass(frozen=True, slots=True)
class OptionText:
    """An argument or an option: what is typed, `--form FORM`, what for, and what may follow it."""

    shown: str
    about: str
    names: Sequence[str]  # none: an argument
    takes: bool
    values: Sequence[str]
    is_file: bool


@dataclass(frozen=True, slots=True)
class CommandText:
    """A command or a group: what is typed to reach it, what it does, an example, and what may follow."""

    words: str
    usage: str
    about: str
    example: str
    options: Sequence[OptionText]
    members: Sequence["CommandText"]

    @property
    def name(self) -> str:
        """The last of its words."""
        return self.words.rpartition(" ")[2]

    @property
    def summary(self) -> str:
        """The first sentence."""
        return self.about.partition("\n\n")[0].replace("\n", " ")

    @property
    def arguments(self) -> Sequence[str]:
        """What its arguments may be, beside files."""
        return VALUES.get(self.words, ())

    def all(self) -> Iterator["CommandText"]:
        """It, and what is below it."""
        yield self
        for member in self.members:
            yield from member.all()


@cache
def table() -> CommandText:
    """The whole tree."""
    return _command("postroad", get_command(app), None)


def _command(words: str, command: typer.core.TyperCommand, parent: typer.Context | None) -> CommandText:
    context = command.make_context(words, [], parent=parent, resilient_parsing=True)
    return CommandText(
        words,
        " ".join(command.collect_usage_pieces(context)),
        command.help,
        command.epilog.removeprefix("Example: "),
        [_option(each, record) for each in command.get_params(context) if (record := each.get_help_record(context))],
        [_command(f"{words} {name}", each, context) for name, each in getattr(command, "commands", {}).items()],
    )


def _option(option: typer.core.TyperOption, record: tuple[str, str]) -> OptionText:
    shown, about = record[0], " ".join(record[1].split())
    # Those of --help come in an order that no two runs share
    names = sorted([*option.opts, *option.secondary_opts], key=_is_long) if shown.startswith("-") else []
    values = VALUES.get(names[-1]) or VALUES.get(f"{names[-1]} {option.metavar}") if names else ()
    return OptionText(
        shown,
        about,
        names,
        bool(names) and not option.is_flag,
        tuple(values or getattr(option.type, "choices", ())),
        (option.metavar or "").startswith(FILES) or hasattr(option.type, "readable"),
    )


def _is_long(name: str) -> tuple[bool, str]:
    return name.startswith("--"), name
