"""A token file, which only its owner can read. It is replaced by a rename, and never through a symbolic link."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from talend_token._command_line.failure import USAGE, CommandError
from talend_token.document import Sensitive, TokenDocument
from talend_token.errors import InvalidTokenDocument

_LARGEST_BYTES = 1_000_000
# A writer needs less time than this, so an older temporary file was left by an interrupted one.
_LEFT_AFTER_SECONDS = 60


class TokenFile:
    """The file that a writer keeps current."""

    def __init__(self, name: str) -> None:
        """
        Raises:
            CommandError: the file is not a token file, and is not changed.
        """
        self._path = Path(name)
        self._prefix = f".{self._path.name}."
        try:
            self.left = self._read()
            """The document that another run has left, or None."""
            self._remove_leftovers()
        except OSError as error:
            raise self._failure(error) from None

    def write(self, document: TokenDocument) -> None:
        """Replace the file.

        Raises:
            CommandError: the file cannot be written. The attempt leaves no temporary file.
        """
        try:
            self._check()
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=self._prefix, suffix=".new")
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(f"{document.to_json().reveal()}\n")
                    file.flush()
                    # Otherwise a power failure just after the rename could leave an empty file.
                    os.fsync(file.fileno())
                Path(temporary).replace(self._path)
            except BaseException:
                with suppress(FileNotFoundError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            raise self._failure(error) from None

    def remove(self) -> None:
        """Remove the file, because its token has expired."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    @property
    def is_missing(self) -> bool:
        """True if the file does not exist, because it was never written or has been removed."""
        return not self._path.exists()

    def _read(self) -> TokenDocument | None:
        if not self._check():
            return None
        with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            content = Sensitive(file.read(_LARGEST_BYTES))
        if not content.reveal():
            return None
        with suppress(InvalidTokenDocument, UnicodeDecodeError):
            return TokenDocument.from_json(Sensitive(content.reveal().decode()))
        raise CommandError(f"{str(self._path)!r} holds something else than a token. Name another file.", USAGE)

    def _check(self) -> bool:
        """Return True if there is a regular file.

        Raises:
            CommandError: the path is a symbolic link, a folder, a pipe or a device.
        """
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a regular file"
            raise CommandError(f"{str(self._path)!r} is {kind}. Name a file of its own.", USAGE)
        return True

    def _remove_leftovers(self) -> None:
        for left in self._path.parent.glob(f"{self._prefix}*.new"):
            with suppress(FileNotFoundError):
                if left.lstat().st_mtime < time.time() - _LEFT_AFTER_SECONDS:
                    left.unlink()

    def _failure(self, error: OSError) -> CommandError:
        folder = str(self._path.parent)
        return CommandError(f"{str(self._path)!r} cannot be written: {error.strerror}. Check folder {folder!r}.", USAGE)
