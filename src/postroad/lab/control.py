"""A lab that runs is asked, and told otherwise, over a Unix socket: one JSON object a line, each answered by one.

`{}` asks how the exchangers behave; `{"where": "mail1", "fault": "r450"}` changes that first. The answer has
`exchangers`, and `changed`, the addresses of those; or an `error`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postroad.lab.lab import Lab
from postroad.lab.places import NoExchangerError
from postroad.net import NetError
from postroad.words.faults import parse_fault
from postroad.words.inputs import InputError, quoted
from postroad.words.names import Unreadable

ENDING = ".sock"
ANSWER_S = 10.0  # a lab answers within milliseconds
LONGEST = 64 * 1024  # octets of a line
LONGEST_NAME = 100  # octets of a socket's path: Linux has room for 107, others for 103

Answer = dict[str, Any]


def usual_socket(lab: Lab) -> Path:
    """The name of a lab's socket if nobody gives another: the port of its name server tells it from others.

    Raises:
        InputError: as for the folder.

    """
    return _folder() / f"{lab.resolver_address[1]}{ENDING}"


def _folder() -> Path:
    """Where this user's labs have their sockets: nobody else may enter it.

    Raises:
        InputError: somebody else has made a folder of that name.

    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime) if runtime and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
    folder /= f"postroad-lab-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as problem:
        raise InputError(f"{folder}: {problem.strerror}; name a socket with --control PATH") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise InputError(f"{folder} is not yours alone; remove it, or name a socket with --control PATH")
    return folder


@contextmanager
def control_socket(path: Path) -> Iterator[socket.socket]:
    """A socket of that name for as long as it is needed; one that a lab left behind is replaced.

    Raises:
        InputError: a lab answers there, or something else is of that name, or it cannot be made.

    """
    if len(os.fsencode(path)) > LONGEST_NAME:
        raise InputError(f"--control {path}: a socket's path has at most {LONGEST_NAME} octets; name a shorter one")
    _clear(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as problem:
        sock.close()
        why = problem.strerror or problem
        raise InputError(f"--control {path}: {why}; name a path in a folder that you may write") from None
    finally:
        os.umask(before)
    try:
        yield sock
    finally:
        sock.close()
        path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    if _is_answered(path):
        raise InputError(f"--control {path}: another lab answers there; name another path")
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing is there, or whoever binds has the words for it
    if not stat.S_ISSOCK(mode):
        raise InputError(f"--control {path}: this file is not a socket; name another path")
    path.unlink(missing_ok=True)


async def attend_lab(lab: Lab, sock: socket.socket) -> asyncio.Server:
    """Answer whoever asks at the socket, until the server is closed."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: a line without an end
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(lab, line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(converse, sock=sock, limit=LONGEST)


async def _answer(lab: Lab, line: bytes) -> Answer:
    try:
        asked = json.loads(line)
        changed = await _change(lab, asked["where"], asked["fault"]) if asked else []
    except (InputError, NoExchangerError) as problem:
        return {"error": str(problem)}
    except NetError as problem:
        return {"error": problem.why}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {"error": 'write {} or {"where": "mail1", "fault": "r450"}'}
    return {**_state(lab), "changed": changed}


async def _change(lab: Lab, where: str, text: str) -> list[str]:
    fault = parse_fault(text)
    if isinstance(fault, Unreadable):
        raise InputError(str(fault))
    return [str(each.address) for each in await lab.set_fault(where, fault)]


def _state(lab: Lab) -> Answer:
    """How a lab's exchangers behave now."""
    host, port = lab.resolver_address
    written = {place: address for address, place in lab.moved.items()}
    exchangers = [
        {
            "name": next(iter(lab.places.names.get(address, ())), None),
            "address": str(address),
            "written": str(written.get(address, address)),
            "fault": str(each.fault),
        }
        for address, each in lab.exchangers.items()
    ]
    return {"resolver": f"{host}:{port}", "port": lab.port, "exchangers": exchangers}


def ask_lab(path: Path | None, request: Mapping[str, str]) -> Answer:
    """What the lab at a socket answers; without a path, the only one of this user that runs.

    Raises:
        InputError: there is none, or there are several, or the request cannot be carried out.

    """
    answer = _asked(path or _only(), request)
    if "error" in answer:
        raise InputError(str(answer["error"]))
    return answer


def _only() -> Path:
    running = [path for path in sorted(_folder().glob(f"*{ENDING}")) if _is_answered(path)]
    if not running:
        raise InputError(
            "no lab of yours is running; start one with `postroad lab up`, or name its socket with --control PATH "
            "(a lab that root started is root's)"
        )
    if len(running) > 1:
        several = ", ".join(map(str, running))
        raise InputError(f"{len(running)} labs are running; choose one with --control PATH: {several}")
    return running[0]


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_S)
        try:
            sock.connect(str(path))
        except OSError:
            return False
    return True


def _asked(path: Path, request: Mapping[str, str]) -> Answer:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_S)
        try:
            sock.connect(str(path))
            sock.sendall(json.dumps(dict(request)).encode() + b"\n")
            with sock.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        except OSError as problem:
            why = problem.strerror or "no answer came"
            raise InputError(f"no lab answers at {path} ({why}); `postroad lab up` says where its socket is") from None
        except ValueError:
            answer = None
    if not isinstance(answer, dict):
        raise InputError(
            f"what answers at {quoted(str(path))} is not a lab; `postroad lab up` says where its socket is"
        )
    return answer
