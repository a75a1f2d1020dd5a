"""What a crash reporter would show of an exception that leaves our code, and what our public functions return."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

_TESTS = f"{Path(__file__).resolve().parents[2]}/"
_FUNCTIONS = f"{Path(importlib.util.find_spec('talend_token').origin or '').resolve().parents[1]}/"  # type: ignore[union-attr]
_OURS = (_FUNCTIONS, f"{Path(_FUNCTIONS).parent}/infra/consumer/")
# These two are asked for the secret itself.
_GIVE_THE_SECRET = {"Sensitive.reveal", "Token.access_token"}
# What the caller sent is the caller's: Lambda itself keeps it, for a retry and as a dead letter.
_SENT = "event"
# The same exception from the same lines, or a value from the same line, is looked at so many times in a test.
_ENOUGH = 5
# A function that others of ours have called so often in a test is one of theirs.
_ENOUGH_INSIDE = 200
# What is longer is what a test fills a buffer with: this much of both of its ends is looked at.
_END = 50_000
_SIMPLE = (int, float, bool, type(None))
_MONITORING = sys.monitoring
_TOOL = 4

Tell = Callable[[str, str], None]


class Watch:
    """Tells of every exception that leaves the functions' code and of every value that their public functions return.

    What calls the functions is not theirs: only frames below count, the libraries' as well. Frames of tests and their
    doubles are left out. `tell` gets where it was and the text to search.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._ours: dict[str, bool] = {}
        self._busy = threading.local()
        self._seen: Counter[Hashable] = Counter()
        self._inside: Counter[int] = Counter()
        self.exceptions = 0
        self.returned = 0
        self.failures: list[str] = []

    def start(self) -> None:
        """From now on, in all threads."""
        events = _MONITORING.events
        _MONITORING.use_tool_id(_TOOL, "leaks")
        _MONITORING.register_callback(_TOOL, events.PY_UNWIND, self._unwound)
        _MONITORING.register_callback(_TOOL, events.PY_RETURN, self._returned)
        self._go_on()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Look at nothing in the block."""
        _MONITORING.set_events(_TOOL, 0)
        try:
            yield
        finally:
            self._go_on()

    def _go_on(self) -> None:
        _MONITORING.set_events(_TOOL, _MONITORING.events.PY_UNWIND | _MONITORING.events.PY_RETURN)

    def begin(self) -> None:
        """Another test: whatever was looked at often enough is looked at again."""
        self._seen.clear()
        self._inside.clear()

    def stop(self) -> None:
        """No longer."""
        _MONITORING.set_events(_TOOL, 0)
        _MONITORING.free_tool_id(_TOOL)

    def _is_ours(self, code: CodeType) -> bool:
        name = code.co_filename
        if name not in self._ours:
            self._ours[name] = name.startswith(_OURS)
        return self._ours[name]

    def _leaves(self, frame: FrameType) -> bool:
        """Whether nothing of ours has called this: what another function of ours catches has not come out."""
        above = frame.f_back
        while above is not None:
            if self._is_ours(above.f_code):
                return False
            above = above.f_back
        return True

    def _unwound(self, code: CodeType, _: int, error: BaseException) -> None:
        if not self._is_ours(code) or getattr(self._busy, "at_it", False):
            return
        kind = (id(code), *_kind(error))
        if self._seen[kind] < _ENOUGH and self._leaves(sys._getframe(1)):
            self._seen[kind] += 1
            self._guarded(self._exception, code, error)

    def _returned(self, code: CodeType, offset: int, value: object) -> object:
        if not self._is_ours(code) or code.co_name.startswith("_") or code.co_qualname in _GIVE_THE_SECRET:
            return _MONITORING.DISABLE
        if isinstance(value, _SIMPLE) or getattr(self._busy, "at_it", False):
            return None
        if self._inside[id(code)] >= _ENOUGH_INSIDE or self._seen[id(code), offset] >= _ENOUGH:
            return None
        if self._leaves(sys._getframe(1)):
            self._seen[id(code), offset] += 1
            self._guarded(self._value, code, value)
        else:
            self._inside[id(code)] += 1
        return None

    def _guarded(self, look: Callable[[CodeType, object], None], code: CodeType, value: object) -> None:
        self._busy.at_it = True
        try:
            look(code, value)
        except Exception as failure:  # noqa: BLE001 (it would come up in the middle of what is watched)
            self.failures.append(f"{code.co_qualname} could not be looked at: {type(failure).__name__}")
        finally:
            self._busy.at_it = False

    def _exception(self, code: CodeType, error: object) -> None:
        assert isinstance(error, BaseException)
        self.exceptions += 1
        for where, text in report(error):
            self._tell(f"{where} of an exception that leaves {code.co_qualname}", text)

    def _value(self, code: CodeType, value: object) -> None:
        self.returned += 1
        self._tell(f"what {code.co_qualname} returned", shown(value))


def called_by_the_functions() -> bool:
    """Whether the code that calls this was called, however far up, by the functions'."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            return True
        frame = frame.f_back
    return False


def _kind(error: BaseException) -> Iterator[Hashable]:
    """What exceptions have in common that come from the same lines."""
    one: BaseException | None = error
    # A chain may be a ring.
    for _ in range(10):
        if one is None:
            return
        yield type(one)  # type: ignore[misc]
        traceback = one.__traceback__
        while traceback:
            yield traceback.tb_lineno
            traceback = traceback.tb_next
        one = one.__cause__ or one.__context__


def report(error: BaseException) -> Iterator[tuple[str, str]]:
    """All that a crash reporter shows of it: message, arguments, notes, its own attributes, every frame's variables;
    the same of its causes and, unless suppressed, its contexts, and of a group's members."""
    todo, seen = [("", error)], set()
    while todo:
        how, one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield f"the message{how}", f"{_text(one)}\n{shown(one)}"
        if getattr(one, "__notes__", None):
            yield f"the notes{how}", shown(one.__notes__)
        if attributes := {name: value for name, value in vars(one).items() if name != "__notes__"}:
            yield f"the attributes{how}", shown(attributes)
        traceback = one.__traceback__
        while traceback:
            frame = traceback.tb_frame
            if not frame.f_code.co_filename.startswith(_TESTS):
                variables = {name: value for name, value in frame.f_locals.items() if name != _SENT}
                yield f"the variables of {frame.f_code.co_qualname}{how}", shown(variables)
            traceback = traceback.tb_next
        todo += [
            (", a member", member) for member in getattr(one, "exceptions", ()) if isinstance(member, BaseException)
        ]
        if one.__cause__ is not None:
            todo.append((", its cause", one.__cause__))
        elif one.__context__ is not None and not one.__suppress_context__:
            todo.append((", its context", one.__context__))


def shown(value: object) -> str:
    """`repr`, where that works."""
    if type(value) is dict:
        return "\n".join(f"{name}={shown(item)}" for name, item in value.items())
    try:
        return ends_of(repr(value))
    except Exception as error:  # noqa: BLE001 (an object that is half made may raise anything)
        return f"<no repr: {type(error).__name__}>"


def ends_of(text: str) -> str:
    """A text that is very long without its middle."""
    return text if len(text) <= 2 * _END else f"{text[:_END]} ... {text[-_END:]}"


def _text(error: BaseException) -> str:
    try:
        return ends_of(str(error))
    except Exception as problem:  # noqa: BLE001 (an error whose own text cannot be made)
        return f"<no text: {type(problem).__name__}>"
