"""What completes commands, options and their values in bash, zsh and fish, from the table of commands."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from tests.docs.command_table import CommandText, OptionText, table

MADE = "# Completes postroad; written by `python -m tests.docs.generate`"


@cache
def scripts() -> Mapping[str, str]:
    """Each script by its path below the root of the tree, where its shell looks for it below /usr."""
    root = table()
    made = {
        "bash-completion/completions/postroad": _bash(root),
        "zsh/site-functions/_postroad": _zsh(root),
        "fish/vendor_completions.d/postroad.fish": _fish(root),
    }
    return {f"share/{path}": "\n".join(lines) + "\n" for path, lines in made.items()}


BASH = r"""
_postroad() {
    local path=postroad cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word words= files=
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $word" in
            COMMANDS) path="$path $word" ;;
        esac
    done
    case "$path $prev" in
VALUES
        *)
            if [[ $cur == -* ]]; then
                case $path in
OPTIONS
                esac
            else
                case $path in
ARGUMENTS
                    *) files=yes ;;
                esac
            fi ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ $files ]] && compopt -o default 2>/dev/null
    return 0
}
complete -F _postroad postroad
"""


def _bash(root: CommandText) -> Iterator[str]:
    """One function: it finds the command among the words, and then what may stand at the cursor."""
    every = list(root.all())
    parts = {
        "COMMANDS": "|".join(_quoted(each.words) for each in every[1:]),
        "VALUES": "\n".join(_value(command, option) for command in every for option in command.options if option.takes),
        "OPTIONS": "\n".join(
            _case([each.words], [name for one in each.options for name in one.names]) for each in every
        ),
        "ARGUMENTS": "\n".join(
            _case([each.words], words)
            for each in every
            if (words := [member.name for member in each.members] or each.arguments)
        ),
    }
    text = BASH.strip()
    for name, part in parts.items():
        text = text.replace(name, part, 1)
    yield from (f"{MADE} -*- shell-script -*-", text)


def _value(command: CommandText, option: OptionText) -> str:
    return _case([f"{command.words} {name}" for name in option.names], option.values, is_file=option.is_file)


def _case(patterns: Iterable[str], words: Iterable[str], *, is_file: bool = False) -> str:
    files = " files=yes" if is_file else ""
    return f"        {'|'.join(map(_quoted, patterns))}) words={_quoted(' '.join(words))}{files} ;;"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", r"'\''") + "'"


def _zsh(root: CommandText) -> Iterator[str]:
    """A function for each command; that of a group calls those of its members."""
    yield from ("#compdef postroad", MADE)
    for command in root.all():
        yield f"\n{_function(command)}() {{"
        specs = [spec for option in command.options for spec in _specs(option)]
        if command.members:
            specs = ["1: :->command", "*:: :->words", *specs]
            yield "  local line state"
        else:
            specs += [f"*: :({' '.join(command.arguments)})" if command.arguments else "*: :_files"]
        yield f"  _arguments {'-C ' if command.members else ''}" + " ".join(
            f"\\\n    {_quoted(each)}" for each in specs
        )
        yield from _members(command)
        yield "}"
    yield '\n_postroad "$@"'


def _function(command: CommandText) -> str:
    return "_" + command.words.replace(" ", "_")


def _specs(option: OptionText) -> Iterator[str]:
    about = option.about.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    for name in option.names:
        value = (
            f":value:({' '.join(option.values)})"
            if option.values
            else ":value:_files"
            if option.is_file
            else ":value: "
        )
        yield f"*{name}[{about}]{value if option.takes else ''}"


def _members(command: CommandText) -> Iterator[str]:
    if not command.members:
        return
    yield "  case $state in"
    listed = " ".join(_quoted(f"{each.name}:{each.summary}") for each in command.members)
    yield f"    command) local -a names=({listed}); _describe command names ;;"
    yield "    words) case $words[1] in"
    yield from (f"      {each.name}) {_function(each)} ;;" for each in command.members)
    yield from ("    esac ;;", "  esac")


FISH = r"""
function __postroad_below
    set -l words (string match -v -- '-*' (commandline -opc))[2..]
    test (count $argv) -eq 0; or string match -q -- "$argv *" "$words "
end
function __postroad_at
    set -l words (string match -v -- '-*' (commandline -opc))[2..]
    test "$argv" = "$words"
end
"""


def _fish(root: CommandText) -> Iterator[str]:
    """A line for each word that may stand somewhere; the conditions say where."""
    yield from (MADE, FISH.strip())
    for command in root.all():
        inside = command.words.removeprefix("postroad").strip()
        there = f"complete -c postroad -n {_quoted(f'__postroad_below {inside}'.strip())}"
        for member in command.members:
            exactly = _quoted(f"__postroad_at {inside}".strip())
            yield f"complete -c postroad -n {exactly} -f -a {member.name} -d {_fished(member.summary)}"
        if command.arguments:
            yield f"{there} -f -a {_quoted(' '.join(command.arguments))}"
        for option in command.options:
            if option.names:
                yield f"{there} {_flags(option)} -d {_fished(option.about)}"


def _flags(option: OptionText) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    if not option.takes:
        return names
    values = f" -a {_quoted(' '.join(option.values))}" if option.values else ""
    return f"{names} {'-r -F' if option.is_file else '-x'}{values}"


def _fished(text: str) -> str:
    """In fish a backslash escapes even between single quotes."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"
