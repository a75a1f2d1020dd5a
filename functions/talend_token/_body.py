"""Whether a request's body can be sent a second time, should its token be rejected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from talend_token.errors import BodyNotRepeatable


def is_file(body: Any) -> bool:
    """True for what is read from a position, which has to be put back."""
    return hasattr(body, "read")


def check_repeatable(method: str | None, body: Any) -> None:
    """Refuse a body that is used up by being sent once.

    Raises:
        BodyNotRepeatable: a generator, another iterator, or a file that cannot be rewound, such as a pipe.
    """
    if body is None or isinstance(body, (str, bytes, bytearray)):
        return
    if is_file(body):
        repeatable = hasattr(body, "seekable") and body.seekable()
    else:
        # What makes a new iterator for each pass can be sent again.
        repeatable = isinstance(body, Iterable) and iter(body) is not body
    if not repeatable:
        raise BodyNotRepeatable(
            f"the body of this {method} request cannot be sent a second time, should the token be rejected. Give bytes "
            "or a file that can be rewound; or set the header yourself, with the token of a TokenClient, and handle "
            "the 401."
        )
