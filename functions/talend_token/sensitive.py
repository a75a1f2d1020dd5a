"""A wrapper for values that must never be printed."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Sensitive(Generic[T]):
    """Holds a value that has no printable form: not in a log, not in a debugger's or crash reporter's list of locals.

    Code that handles a secret keeps it wrapped in its local variables and calls `reveal()` only inside the expression
    that needs it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself, for the one expression that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "<sensitive>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sensitive value is not pickled: the pickle would show it")
