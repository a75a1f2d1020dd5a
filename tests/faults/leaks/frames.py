"""Watches exceptions that leave our code, as a crash reporter shows them, and the values of our public functions."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType

_TESTS = f"{Path(__file__).resolve().parents[2]}/"
_FUNCTIONS = f"{Path(importlib.util.find_spec('talend_token').origin or '').resolve().parents[1]}/"  # type: ignore[union-attr]
_OURS = (_FUNCTIONS, f"{Path(_FUNCTIONS).parent}/infra/consumer/")
# Their callers ask for the secret itself.
_GIVE_THE_SECRET = {"Sensitive.reveal", "Token.access_token"}
# The event belongs to the caller, and Lambda itself keeps it for a retry and as a dead letter.
_SENT = "event"
# In one test, the same exception from the same lines, or a value from the same line, is searched so many times.
_ENOUGH = 5
# A function that our other functions have called so often in a test is not called from outside.
_ENOUGH_INSIDE = 200
# Tests fill buffers with longer texts, of which this much of both ends is searched.
_END = 50_000
_SIMPLE = (int, float, bool, type(None))
_EVENTS = sys.monitoring.events
_TOOL = 4

Tell = Callable[[str, str], None]
"""Gets where a text was found, and the text to search."""


class Watch:
    """Reports every exception that leaves the functions' code and every value that their public functions return.

    Only the frames of the functions and of the libraries below them count, without those of tests and their doubles.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._busy = threading.local()
        self._seen: Counter[Hashable] = Counter()
        self._inside: Counter[int] = Counter()
        self.failures: list[str] = []

    def start(self) -> None:
        """Watch all threads from now on."""
        sys.monitoring.use_tool_id(_TOOL, "leaks")
        sys.monitoring.register_callback(_TOOL, _EVENTS.PY_UNWIND, self._unwound)
        sys.monitoring.register_callback(_TOOL, _EVENTS.PY_RETURN, self._returned)
        self._go_on()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Look at nothing in the block."""
        sys.monitoring.set_events(_TOOL, 0)
        try:
            yield
        finally:
            self._go_on()

    def _go_on(self) -> None:
        sys.monitoring.set_events(_TOOL, _EVENTS.PY_UNWIND | _EVENTS.PY_RETURN)

    def begin(self) -> None:
        """Begin another test, in which everything is searched often enough again."""
        self._seen.clear()
        self._inside.clear()

    def stop(self) -> None:
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)

    def _unwound(self, code: CodeType, _: int, error: BaseException) -> None:
        if not _is_ours(code.co_filename) or getattr(self._busy, "now", False):
            return
        chain = islice(_chain(error), 10)
        kind = (id(code), *((type(one), *(line for _, line in walk_tb(one.__traceback__))) for one in chain))
        # An exception that another function of ours catches has not come out.
        if self._seen[kind] < _ENOUGH and not called_by_the_functions(sys._getframe(1).f_back):
            self._seen[kind] += 1
            self._guarded(code, f"an exception that leaves {code.co_qualname}: ", report(error))

    def _returned(self, code: CodeType, offset: int, value: object) -> object:
        if not _is_ours(code.co_filename) or code.co_name.startswith("_") or code.co_qualname in _GIVE_THE_SECRET:
            return sys.monitoring.DISABLE
        if isinstance(value, _SIMPLE) or getattr(self._busy, "now", False):
            return None
        if self._inside[id(code)] >= _ENOUGH_INSIDE or self._seen[id(code), offset] >= _ENOUGH:
            return None
        if called_by_the_functions(sys._getframe(1).f_back):
            self._inside[id(code)] += 1
        else:
            self._seen[id(code), offset] += 1
            self._guarded(code, f"what {code.co_qualname} returned", _lazily(value))
        return None

    def _guarded(self, code: CodeType, what: str, texts: Iterator[tuple[str, str]]) -> None:
        self._busy.now = True
        try:
            for where, text in texts:
                self._tell(f"{what}{where}", text)
        except Exception as failure:  # noqa: BLE001 (it would come up in the middle of the code that is watched)
            self.failures.append(f"{code.co_qualname} could not be looked at: {type(failure).__name__}")
        finally:
            self._busy.now = False


@cache
def _is_ours(file_name: str) -> bool:
    return file_name.startswith(_OURS)


def called_by_the_functions(frame: FrameType | None) -> bool:
    """Return whether this frame, or one that it was called from, however far up, is the functions'."""
    while frame is not None:
        if _is_ours(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes, which may be a ring."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def report(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield all that a crash reporter shows of it: message, arguments, notes, attributes, every frame's variables;
    the same of its causes and, unless suppressed, its contexts, and of a group's members."""
    todo, seen = [("", error)], set()
    while todo:
        how, one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield f"the message{how}", f"{shown(one, str)}\n{shown(one)}"
        yield f"the notes and attributes{how}", shown(vars(one))
        for frame, _ in walk_tb(one.__traceback__):
            if not frame.f_code.co_filename.startswith(_TESTS):
                variables = {name: value for name, value in frame.f_locals.items() if name != _SENT}
                yield f"the variables of {frame.f_code.co_qualname}{how}", shown(variables)
        members = getattr(one, "exceptions", ())
        todo += [(", a member", member) for member in members if isinstance(member, BaseException)]
        if one.__cause__ is not None:
            todo.append((", its cause", one.__cause__))
        elif one.__context__ is not None and not one.__suppress_context__:
            todo.append((", its context", one.__context__))


def _lazily(value: object) -> Iterator[tuple[str, str]]:
    yield "", shown(value)


def shown(value: object, form: Callable[[object], str] = repr) -> str:
    """Return its text, if it has one."""
    if type(value) is dict:
        return "\n".join(f"{name}={shown(item)}" for name, item in value.items())
    try:
        return ends_of(form(value))
    except Exception as error:  # noqa: BLE001 (an object that is half made may raise anything)
        return f"<no text: {type(error).__name__}>"


def ends_of(text: str) -> str:
    """Return a text that is very long without its middle."""
    return text if len(text) <= 2 * _END else f"{text[:_END]} ... {text[-_END:]}"
