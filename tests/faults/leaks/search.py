"""Marked secrets, and the search for them and for any piece of them, in whatever form they turn up.

`python -m faults.leaks.search MODULE ...` runs a module, and writes each secret that it mints to the file that the
environment names, which the process that runs the tests reads.
"""

from __future__ import annotations

import base64
import html
import os
import re
import runpy
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

# The audit event [PEP 578] of a new secret: its one argument is the part that must not be shown.
MINTED = "secret.minted"
FILE_VARIABLE = "ANNOUNCED_SECRETS"
PIECE = 8
# A shorter one is a word that a test made up, and is found elsewhere too.
_SHORTEST = 11
# Tokens that were minted before so many others have expired.
_REMEMBERED = 1000
_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}|(?:\\x[0-9A-Fa-f]{2}){8,}")
_ESCAPE = re.compile(r"\\+(?:u\{?([0-9A-Fa-f]{4})\}?|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2}))")
_SLICES = [slice(start, start + PIECE) for start in range(1 << 12)]


@dataclass(frozen=True)
class Leak:
    """Where a piece of a secret was found, and in which form; never the piece itself."""

    where: str
    form: str

    def __str__(self) -> str:
        return f"{self.where}: a piece of a secret, {self.form}"


class Marks:
    """The secrets of a run of the tests. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._new: deque[str] = deque(maxlen=_REMEMBERED)
        self._pieces: dict[str, str] = {}
        self._of: OrderedDict[str, set[str]] = OrderedDict()

    def add(self, secret: str) -> None:
        """Look for `secret`, or any 8 characters of it, from now on, unless it is shorter than 11."""
        if len(secret) >= _SHORTEST:
            self._new.append(secret)

    def forms_in(self, text: str) -> set[str]:
        """Return the forms in which pieces of secrets are in `text`."""
        with self._lock:
            self._take_in()
            found = set()
            for how, variant in _variants(text):
                found |= {f"{form}{how}" for form in self._pieces_in(variant)}
            return found

    def clean(self, text: str) -> str:
        """Return `text`, or a few words in its place if it has a piece of a secret."""
        return "(not shown: there is a secret in it)" if self.forms_in(text) else text

    def _pieces_in(self, text: str) -> Iterator[str]:
        for run in set(_RUN.findall(text)):
            # Half a piece of overlap: no window is lost between two parts of a very long run.
            for start in range(0, len(run), len(_SLICES) - PIECE):
                part = run[start : start + len(_SLICES)]
                windows = _SLICES[: max(0, len(part) - PIECE + 1)]
                if not self._pieces.keys().isdisjoint(map(part.__getitem__, windows)):
                    yield from {self._pieces[part[window]] for window in windows if part[window] in self._pieces}

    def _take_in(self) -> None:
        while self._new:
            secret = self._new.popleft()
            if secret not in self._of:
                pieces = dict(_pieces(secret))
                self._pieces |= pieces
                self._of[secret] = set(pieces)
            self._of.move_to_end(secret)
        while len(self._of) > _REMEMBERED:
            for piece in self._of.popitem(last=False)[1]:
                self._pieces.pop(piece, None)


def _pieces(secret: str) -> Iterator[tuple[str, str]]:
    """Yield every piece of every form that is looked for as it stands."""
    for form, text in (*_encoded(secret.encode(errors="surrogatepass")), ("raw", secret)):
        for run in _RUN.findall(text):
            for start in range(len(run) - PIECE + 1):
                yield run[start : start + PIECE], form


def _encoded(secret: bytes) -> Iterator[tuple[str, str]]:
    """Yield the characters of Base64 that the secret alone decides, wherever in a longer text it begins."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret).decode()
        own = whole[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        yield "base64", own
        yield "base64url", own.translate(str.maketrans("+/", "-_"))


def _variants(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text, and what it says once each kind of escape is undone."""
    yield "", text
    if "%" in text:
        once = unquote(text, errors="replace")
        yield ", percent-encoded", once
        if "%" in once and once != text:
            yield ", percent-encoded twice", unquote(once, errors="replace")
    if "\\" in text:
        yield ", escaped", _ESCAPE.sub(lambda found: chr(int(next(filter(None, found.groups())), 16) % 0x110000), text)
    if "&" in text:
        yield ", as HTML", html.unescape(text)
    hexadecimal = _HEX.findall(text)
    if hexadecimal:
        yield ", hexadecimal", " ".join(_from_hex(run) for run in set(hexadecimal))


def _from_hex(run: str) -> str:
    digits = run.replace("\\x", "")
    # A secret may begin in the middle of what the expression took for a byte.
    return f"{bytes.fromhex(digits).decode('latin-1')} {bytes.fromhex(digits[1:-1]).decode('latin-1')}"


if __name__ == "__main__":
    file = os.open(os.environ[FILE_VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.addaudithook(lambda event, arguments: event == MINTED and os.write(file, f"{arguments[0]}\n".encode()))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
