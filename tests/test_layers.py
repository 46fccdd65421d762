"""The house keeps its floors: imports go down only, and the pure floors touch no world."""

import ast
import re
from functools import cache

from tests.support.sources import SOURCE, files, imports, nodes, text

FLOORS = {
    "words": 0,
    "routing": 1, "smtp": 1, "pace": 1, "tls": 1, "dsn": 1, "sign": 1, "rules": 1, "models": 1, "simulation": 1,
    "planning": 1, "adopt": 1, "rewrite": 1,
    "files": 2, "dns": 2, "net": 2, "spool": 2,
    "gather": 3, "dialogue": 3,
    "deliver": 4, "receive": 4, "lab": 4,
    "build": 5, "config": 5,
    "relay": 6, "examine": 6, "scenarios": 6,
    "views": 7,
    "api": 8, "sending": 8, "cli": 8,
}  # fmt: skip
NEIGHBOURS = {
    ("rules", "routing"),
    ("rules", "tls"),
    ("rules", "sign"),
    ("simulation", "routing"),
    ("simulation", "pace"),
    ("simulation", "models"),
    ("simulation", "tls"),
    ("models", "routing"),
    ("models", "pace"),
    ("planning", "routing"),
    ("planning", "models"),
    ("planning", "simulation"),
    ("rules", "planning"),
    ("dns", "files"),
}
TOP = 9
# Entry points called by another program, as cli/ is: they stand on the top floor wherever their file lies.
ENTRY_POINTS = {"lab/pytest_plugin.py", "django.py", "__init__.py", "__main__.py"}
FORBIDDEN_WHEN_PURE = {"asyncio", "socket", "ssl", "sqlite3", "time", "os", "logging", "pathlib", "random"}


def _files():
    for path, name in files():
        room = name.split("/")[0].removesuffix(".py")
        yield path, room, TOP if name in ENTRY_POINTS else FLOORS[room]


def _rooms(module, names):
    parts = module.split(".")
    if parts[0] != "postroad":
        return []
    return [parts[1]] if len(parts) > 1 else [name for name in names if name in FLOORS]


def test_imports_go_down_only():
    """A room imports rooms below it, itself, and the neighbours named in the design."""
    wrong = [
        f"{path.relative_to(SOURCE)} imports {other}"
        for path, room, floor in _files()
        for module, names in imports(path)
        for other in _rooms(module, names)
        if other != room and FLOORS[other] >= floor and (room, other) not in NEIGHBOURS
    ]
    assert wrong == []


def test_pure_floors_touch_no_world():
    """Floors 0 and 1 are given the time and the dice: of `random` they may only name the type they are given."""
    wrong = [
        f"{path.relative_to(SOURCE)} imports {module}"
        for path, _room, floor in _files()
        if floor <= 1
        for module, names in imports(path)
        if module.split(".")[0] in FORBIDDEN_WHEN_PURE and (module, names) != ("random", ["Random"])
    ]
    assert wrong == []


def test_imports_name_the_room():
    """None is relative."""
    wrong = [f"{name} imports {module}" for path, name in files() for module, _ in imports(path) if module[0] == "."]
    assert wrong == []


MOST = {ast.FunctionDef: 60, ast.AsyncFunctionDef: 60, ast.ClassDef: 200}
INSIDE = r".*\n(?:(?:\1[ )].*)?\n)"  # the first line, and those that are indented, or close its brackets
LONG = rf"^( *)(?:async )?def {INSIDE}{{60}}|^()class {INSIDE.replace('1', '2')}{{200}}"


def test_files_classes_and_functions_stay_small():
    """No source file over 500 lines, no class over 200, no function over 60; nothing is excused."""
    assert [] == [name for path, name in files() if text(path).count("\n") > 500]
    wrong = [
        f"{name}:{node.name}"
        for path, name in files()
        for node in nodes(path, LONG)
        if type(node) in MOST and node.end_lineno - node.lineno >= MOST[type(node)]
    ]
    assert [] == wrong


def test_each_suppression_carries_its_reason():
    """Whoever silences a checker says why, behind a second `#` in the same line."""
    bare = re.compile(r"# (?:noqa|type: ignore)[^#\n]*$", re.MULTILINE)
    paths = [*(path for path, _ in files()), *(SOURCE.parents[1] / "bench").glob("*.py")]
    wrong = [f"{path.name}: {found[0]}" for path in paths for found in bare.finditer(text(path))]
    assert [] == wrong


def _given(call):
    """What a door is said to give: module by module, those of inner rooms in a dict."""
    for each in call.keywords:
        given = ast.literal_eval(each.value)
        yield from given.items() if each.arg is None else [(each.arg, given)]


def test_lazy_doors_give_what_they_say():
    """A door names what it gives twice, for the checker and for whoever asks: the same names, of the same modules."""
    wrong = []
    for path in SOURCE.rglob("__init__.py"):
        code = list(nodes(path, r"\bdoor\("))
        calls = [node for node in code if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "door"]
        room = ".".join(("postroad", *path.parent.relative_to(SOURCE).parts))
        said = {f"{room}.{name}": sorted(each.split()) for call in calls for name, each in _given(call)}
        checked = {
            node.module: sorted(alias.name for alias in node.names)
            for block in code
            if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
            for node in ast.walk(block)
            if isinstance(node, ast.ImportFrom)
        }
        wrong += [f"{room}: {said} {checked}"] if calls and said != checked else []
        names = {name for names in said.values() for name in names}
        modules = {each.stem for each in (*path.parent.glob("*.py"), *path.parent.glob("*/"))} if calls else set()
        wrong += [f"{room}.{name} is a module, too" for name in sorted(names & modules)]
    assert [] == wrong


EXTRAS = {
    "numpy": ("simulation/trials/",),
    "asyncpg": ("spool/postgres/", "scenarios/database.py"),
    "matplotlib": ("views/pictures/figure.py",),
}


def test_extras_stay_in_their_rooms():
    """What a relay does without is imported where a missing one is named with its extra, and nowhere else."""
    wrong = [
        f"{path.relative_to(SOURCE)} imports {module}"
        for path, _room, _floor in _files()
        for module, _names in imports(path)
        if not path.relative_to(SOURCE).as_posix().startswith(EXTRAS.get(module.split(".")[0], ("",)))
    ]
    assert [] == wrong


MADE_BY_BUILD = {
    "WireResolver",
    "CachingResolver",
    "PacedResolver",
    "SSLContext",
    "create_default_context",
    "SqliteSpool",
    "PostgresSpool",
}
MADE_ELSEWHERE = {
    "lab/certificate.py": "a lab shows, and believes, a certificate of its own",
}


def test_build_alone_makes_what_touches_the_world():
    """Resolvers, TLS contexts and the spool are made in one room, so that none has other defaults elsewhere."""
    wrong = []
    for path, room, _floor in _files():
        name = path.relative_to(SOURCE).as_posix()
        if room not in {"build", "dns", "spool"} and name not in MADE_ELSEWHERE:
            calls = [node.func for node in nodes(path, "|".join(MADE_BY_BUILD)) if isinstance(node, ast.Call)]
            words = {word for call in calls for word in ast.unparse(call).split(".")}
            wrong += [f"{name} makes a {made}" for made in sorted(words & MADE_BY_BUILD)]
    assert [] == wrong


# Rooms whose every file is a door of its own, and why.
OPEN_ROOMS = {
    "words": "a vocabulary has no door: each file is the home of a few nouns",
    "views/text": "one file a screen, each with a `text` or a `table` of its own",
    "views/html": "one file a page, as above",
}
NAMESAKES = {("postroad.dsn", "build")}  # functions with the name of their file


@cache
def _inside(module):
    """The file inside another room's walls that an import opens: it is neither a package nor in an open room."""
    *above, last = module.split(".")[1:]
    is_file = bool(above) and SOURCE.joinpath(*above, f"{last}.py").is_file()
    return ".".join((*above, last)) if is_file and "/".join(above) not in OPEN_ROOMS else ""


def test_rooms_are_entered_by_their_doors():
    """Whoever is not of a room imports from its `__init__`, and never from a file behind that."""
    wrong = [
        f"{path.relative_to(SOURCE)} imports {_inside(module)}"
        for path, room, _floor in _files()
        for each, names in imports(path)
        for module in (each, *(f"{each}.{name}" for name in names if (each, name) not in NAMESAKES))
        for other in _rooms(module, [])
        if other != room and _inside(module)
    ]
    assert [] == wrong


def _stops(doc):
    """The files that a docstring names: what stands in backticks behind "Stops", but for asides in parentheses."""
    told, depth, plain = doc.partition("Stops")[2], 0, ""
    for letter in told:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        plain += letter if depth == 0 else ""
    return set(re.findall(r"`([a-z0-9_]+)`", plain))


def test_each_file_of_a_room_is_one_of_its_stops():
    """Who reads the docstring of a room knows what is in it: every file, and none that has gone."""
    wrong = []
    for init in sorted(SOURCE.rglob("*/__init__.py")):
        doc = ast.get_docstring(ast.parse(text(init))) or ""
        files = {path.stem for path in init.parent.glob("*.py")} - {"__init__"}
        files |= {path.parent.name for path in init.parent.glob("*/__init__.py")}
        wrong += [f"{init.parent.relative_to(SOURCE)}: {name}" for name in sorted(files ^ _stops(doc))]
    assert [] == wrong
