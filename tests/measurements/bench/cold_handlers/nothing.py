"""A handler that does nothing: what the interpreter and Lambda's runtime take."""

from typing import Any


def handler(event: Any, context: Any) -> None:
    """Answer."""
