"""The manual pages: one for each command, and postroad.toml(5), from the texts of `--help` and of the settings.

Written in man(7): a page has the name of its command with a hyphen, as those of git have.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from textwrap import wrap

from tests.docs.command_table import EXIT_STATUS, CommandText, OptionText, table

from postroad.config.show import ABOUT, tables

AS_OF = "2026-11-22"  # the day of the version
STATUS = "Exit status"
WIDEST = 78  # columns of a line of the source, as `mandoc -T lint` asks
FOLDER = "share/man"
SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


@cache
def pages() -> Mapping[str, str]:
    """Each page by its path below the root of the tree."""
    root = table()
    made = {"man1/postroad.1": _root(root), "man5/postroad.toml.5": _settings()}
    made |= {f"man1/postroad-{each.name}.1": _command(each) for each in root.members}
    return {f"{FOLDER}/{path}": "\n".join(filter(None, lines)) + "\n" for path, lines in made.items()}


def literal(text: str) -> str:
    """What is typed as it stands: each character of it survives being copied out of a page."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def prose(text: str) -> str:
    """A paragraph in short lines: in bold what stands in backticks; options as they are typed; none is a request."""
    parts = []
    for place, part in enumerate(text.replace("\n", " ").split("`")):
        plain = part.replace("\\", r"\e")
        parts.append(rf"\fB{literal(part)}\fR" if place % 2 else OPTION.sub(lambda one: literal(one[0]), plain))
    lines = wrap("".join(parts), WIDEST, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_unrequested, lines))


def _unrequested(line: str) -> str:
    return rf"\&{line}" if line[:1] in {".", "'"} else line


def _head(name: str, section: int, about: str) -> Iterator[str]:
    sentence = about.rstrip(".")
    yield f'.TH {name.upper()} {section} "{AS_OF}" "Postroad" "Postroad manual"'
    yield from (".SH NAME", prose(f"{name} - {sentence[0].lower()}{sentence[1:]}").replace(" - ", r" \- ", 1))


def _root(root: CommandText) -> Iterator[str]:
    example = root.example.partition(". ")[0]
    yield from _head("postroad", 1, root.summary)
    yield from (".SH SYNOPSIS", _usage(root), ".SH DESCRIPTION", prose(root.about), ".SH COMMANDS")
    for each in root.members:
        yield from (".TP", rf"\fB{literal(f'postroad-{each.name}')}\fR(1)", prose(each.summary))
    yield from (".SH OPTIONS", *_records(root.options), *_files())
    yield from (".SH EXIT STATUS", prose(EXIT_STATUS), ".SH EXAMPLES", _example(example))
    yield from _see([*(f"postroad-{each.name}(1)" for each in root.members), "postroad.toml(5)"])


def _command(command: CommandText) -> Iterator[str]:
    about, status, ends = command.about.partition(STATUS)
    yield from _head(f"postroad-{command.name}", 1, command.summary)
    yield from (".SH SYNOPSIS", "\n.br\n".join(map(_usage, command.members or [command])))
    yield from (".SH DESCRIPTION", _paragraphs(about), ".SH OPTIONS", *_records(command.options))
    yield from (".SH COMMANDS",) if command.members else ()
    for each in command.members:
        own = [option for option in each.options if "--help" not in option.names]
        yield from (f".SS {literal(each.words)}", _paragraphs(each.about), *_records(own), ".PP")
        yield _example(each.example)
    yield from (".SH EXIT STATUS", _paragraphs(status + ends)) if status else ()
    yield from (*_files(), ".SH EXAMPLES", _example(command.example), *_see(["postroad(1)", "postroad.toml(5)"]))


def _usage(command: CommandText) -> str:
    return rf"\fB{literal(command.words)}\fR {literal(command.usage)}"


def _records(options: Iterable[OptionText]) -> Iterator[str]:
    """The arguments and options, as `--help` lists them: what is typed in bold, what it stands for in italics."""
    for each in options:
        if not each.about:  # the name of an argument says it
            continue
        words = [rf"\f{'B' if word[0] == '-' else 'I'}{literal(word)}\fR" for word in each.shown.split()]
        yield from (".TP", _unrequested(" ".join(words)), prose(each.about))


def _paragraphs(text: str) -> str:
    return "\n.PP\n".join(_paragraph(each) for each in text.split("\n\n") if each.strip())


def _paragraph(text: str) -> str:
    """As it is wrapped in a terminal; one that begins with click's mark for tables keeps its lines."""
    kept = text.removeprefix("\b\n")
    return prose(text) if kept == text else f".EX\n{chr(10).join(map(_line, kept.splitlines()))}\n.EE"


def _line(text: str) -> str:
    return _unrequested(literal(text.replace("`", "")))


def _example(shown: str) -> str:
    return f".EX\n{_unrequested(literal(shown))}\n.EE"


def _files() -> Iterator[str]:
    yield from (".SH FILES", ".TP", r"\fI/etc/postroad/postroad.toml\fR")
    yield prose("The settings, unless `--config` or `$POSTROAD_CONFIG` names another file.")


def _see(others: Iterable[str]) -> Iterator[str]:
    """Each page on a line of its own: name and section."""
    yield ".SH SEE ALSO"
    named = (each.rstrip(")").split("(") for each in others)
    yield ",\n".join(rf"\fB{literal(name)}\fR({section})" for name, section in named)


def _settings() -> Iterator[str]:
    yield from _head("postroad.toml", 5, "Settings of the Postroad mail relay")
    yield from (".SH DESCRIPTION", _paragraphs(ABOUT))
    for each in tables():
        yield from (f".SH {literal(each.title)}", _paragraphs(each.about))
        for name, default, meaning in each.keys:
            yield from (".TP", rf"\fB{literal(name)}\fR", prose(meaning))
            yield from (".br", prose(f"Default: {default}.")) if default else ()
    yield from _see(["postroad(1)", "postroad-config(1)"])
