"""The docs are run: their terminal blocks, their Python, the help of each command, the shapes of the JSON."""

import ast
import asyncio
import doctest
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import mypy.api
import pytest
from tests.docs.generate import (
    CLI,
    DECISIONS,
    METRICS,
    PICTURED,
    PICTURES,
    RULES,
    RULES_PAGE,
    SETTINGS,
    commands,
    decisions,
    metrics,
    picture,
    reference,
    rules,
    run,
    settings,
)
from tests.support.examples import in_whole_runs, some
from tests.support.json_schema import wrong_with
from tests.support.patience import PATIENCE_S

import postroad
from postroad.views.json import send_shape
from postroad.views.json.schema import schema

ROOT = Path(__file__).parents[2]
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in AT_THE_TOP), *sorted((ROOT / "docs").rglob("*.md"))]
NO_ANSWER = {("relay",), ("sendmail",)}  # a service, whose log is JSON if it is set so, and a convention of others
LAB_ZONE = "$ORIGIN example.com.\n@ MX 10 mail1\n@ MX 20 mail2\nmail1 A 127.0.0.11\nmail2 A 127.0.0.12\n"
SCHEMA = schema()


def _blocks(language):
    """Every fenced block of a language, as a pytest case named by its page."""
    for page in PAGES:
        for block in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            yield pytest.param(block, id=page.relative_to(ROOT).as_posix())


def _runs(block):
    """The commands of a terminal block, each with the output shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield shlex.split(command), output


@pytest.mark.parametrize("block", some(_blocks("console"), 5))
def test_terminal_blocks_show_what_is_printed(block):
    """A console block is the exact output of its commands. Every fifth block; all in a whole run."""
    for (program, *arguments), output in _runs(block):
        assert "postroad" == program
        assert output.strip() == run(arguments).stdout.strip()


def _shown_commands():
    """The words of every `postroad` command that a page shows, in a block for a shell or within a sentence."""
    for page in PAGES:
        text = page.read_text()
        lines = [
            line for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for line in _lines(block)
        ]
        spans = re.findall(r"`(postroad [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
        for line in [*lines, *spans]:
            for part in re.split(r"[|;&()]+|\bdo\b", line.partition(" #")[0]):
                if part.strip().startswith("postroad "):
                    yield page, part.partition(" -- ")[0].split()[1:]  # behind it stands somebody else's command


def _lines(block):
    return block.replace("\\\n", " ").splitlines()


def test_commands_of_the_pages_have_the_options_they_show():
    """Whatever a page tells somebody to type is a command, with options that it has."""
    known = dict(commands())
    wrong = []
    for page, words in _shown_commands():
        named = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
        command = known.get(named)
        opts = {each for one in command.params for each in (*one.opts, *one.secondary_opts)} if command else set()
        odd = (
            {word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2}
            - opts
            - {"--help", "--version"}
        )
        if words and words[0].isalpha() and (command is None or (odd and named != ("sendmail",))):
            wrong.append((page.name, words))
    assert [] == wrong


@pytest.mark.parametrize("block", list(_blocks("pycon")))
def test_interpreter_blocks_run(block, monkeypatch):
    """A pycon block gives the answers it shows."""
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(block, {}, "page", None, 0)
    assert 0 == doctest.DocTestRunner().run(test).failed


@pytest.mark.parametrize("block", list(_blocks("python")))
def test_python_blocks_run(block, monkeypatch, postroad_lab):
    """A python block runs; the tests it defines pass, with the lab."""
    monkeypatch.chdir(ROOT)
    names = {"__name__": "page"}
    exec(compile(ast.parse(block), "page", "exec"), names)
    for name, value in list(names.items()):
        if name.startswith("test_"):
            value(postroad_lab)


def _programs(folder):
    """The Python of the pages and of docs/examples, each in a file of this folder."""
    programs = [block.values[0] for block in _blocks("python")]
    programs += [_program(block.values[0]) for block in _blocks("pycon")]
    programs += [path.read_text() for path in sorted((ROOT / "docs" / "examples").glob("*.py"))]
    paths = [folder / f"page{number}.py" for number in range(len(programs))]
    for path, program in zip(paths, programs, strict=True):
        path.write_text(program)
    return paths


@in_whole_runs
def test_python_of_the_pages_type_checks(tmp_path, monkeypatch):
    """Whoever copies the Python of a page into a program that mypy holds strictly has nothing to add."""
    monkeypatch.chdir(tmp_path)  # where no settings of ours are
    paths = _programs(tmp_path)
    settings = tmp_path / "strict.ini"
    settings.write_text(_strict_of_others())
    how = ["--config-file", str(settings), "--cache-dir", str(_cache_for_pages()), "--no-error-summary"]
    complaints, trouble, _ = mypy.api.run([*how, *map(str, paths)])
    assert ("", "") == (complaints, trouble)


@pytest.mark.skipif(shutil.which("pyright") is None, reason="no pyright here: npm install --global pyright")
def test_python_of_the_pages_satisfies_pyright(tmp_path):
    """The other checker, which editors use."""
    paths = _programs(tmp_path)
    done = subprocess.run(
        ["pyright", "--pythonpath", sys.executable, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=PATIENCE_S,
    )
    assert (0, "0 errors, 0 warnings, 0 informations") == (done.returncode, done.stdout.strip().splitlines()[-1])


def _strict_of_others():
    """Our settings of mypy, which are stricter than `--strict`, but for the one that is laxer."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert (True, True) == (ours["strict"], ours["implicit_reexport"])
    lines = [f"{name} = {value}" for name, value in ours.items() if name != "files"]
    return "\n".join(["[mypy]", *lines, "[mypy-postroad.*]", "implicit_reexport = False", ""])


def _cache_for_pages():
    """What mypy knows of other people's modules it knows from its run over ours, if there was one: half the work."""
    ours = ROOT / ".mypy_cache"
    pages = ours / "pages"
    version = "{}.{}".format(*sys.version_info)
    if (ours / version).is_dir() and not pages.exists():
        shutil.copytree(ours / version, pages / version)
    return pages


def _program(session):
    """What was typed in a session of the interpreter."""
    return "".join(example.source for example in doctest.DocTestParser().get_examples(session))


def test_docstrings_of_the_library_run(monkeypatch):
    """The examples of the doors of the library give the answers they show."""
    monkeypatch.chdir(ROOT)
    import postroad.api

    assert doctest.TestResults(0, 19) == doctest.testmod(postroad.api)[:2]


def test_reference_has_every_commands_help():
    """cli.md is what the commands say of themselves; `python -m tests.docs.generate` writes it anew."""
    assert reference() == CLI.read_text()


def test_reference_has_every_setting():
    """settings.md is what the settings say of themselves; `python -m tests.docs.generate` writes it anew."""
    assert settings() == SETTINGS.read_text()


def test_reference_has_every_metric():
    """metrics.md is what the numbers say of themselves; `python -m tests.docs.generate` writes it anew."""
    assert metrics() == METRICS.read_text()


def test_reference_has_every_rule():
    """rules.md is what the rules say of themselves; `python -m tests.docs.generate` writes it anew."""
    assert rules(RULES) == RULES_PAGE.read_text()


def test_every_decision_is_listed():
    """The list of decisions has the title of each; `python -m tests.docs.generate` writes it anew."""
    assert decisions() == DECISIONS.read_text()


def test_pictures_of_the_pages_are_those_drawn_today(tmp_path):
    """What a page shows is what `simulate --plot` draws; `python -m tests.docs.generate` draws it anew.

    Every third of them; all in a whole run.
    """
    for name in some(PICTURED, 3):
        assert picture(name, tmp_path / f"{name}.svg") == (PICTURES / f"{name}.svg").read_text(), name


def test_each_command_has_an_example_and_speaks_json():
    """Every command shows an example of itself with options it has, and can answer in JSON if it has an answer."""
    for words, command in commands():
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert command.epilog.startswith("Example: postroad "), words
        if not getattr(command, "commands", None):
            example = shlex.split(command.epilog.removeprefix("Example: postroad "))
            assert words == tuple(example[: len(words)])
            assert set() == {word for word in example if word.startswith("--")} - options, words
            assert "--json" in options or words in NO_ANSWER, words


def test_send_example_has_the_keys_of_an_answer(postroad_lab):
    """The JSON page's example of `send` has the keys a real answer has, at every depth."""
    lab = postroad_lab(LAB_ZONE, faults={"127.0.0.11": "refuse"})
    host, port = lab.resolver
    options = postroad.SendOptions(resolvers=[f"{host}:{port}"], port=lab.port, seed=1)
    sent = asyncio.run(
        postroad.send("x", sender="me@example.net", recipients=["you@example.com"], options=options),
    )
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    example = json.loads(re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0])
    assert _keys(send_shape(sent)) == _keys(example)
    assert [] == wrong_with(send_shape(sent), SCHEMA["answers"]["send"], SCHEMA["$defs"])


def _keys(value):
    """The keys of nested JSON, without the values."""
    if isinstance(value, dict):
        return {name: _keys(inner) for name, inner in value.items()}
    return [_keys(inner) for inner in value] if isinstance(value, list) else None


def test_links_lead_somewhere():
    """Every relative link of a page names a file that is there."""
    links = [(page, each) for page in PAGES for each in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert [] == [f"{page}: {link}" for page, link in links if not (page.parent / link).exists()]
