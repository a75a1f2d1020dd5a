"""`write` replaces only a token file, and leaves nothing beside it."""

import os
from pathlib import Path

import pytest

from talend_token._command_line import token_file


def link(file):
    target = file.parent / "target"
    target.write_text("")
    file.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (link, "is a symbolic link"),
        (lambda file: file.symlink_to("nowhere"), "is a symbolic link"),
        (Path.mkdir, "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (lambda file: file.write_text("my notes"), "holds something else than a token"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "holds something else than a token"),
    ],
)
def test_anything_else_than_a_token_file_is_left_alone(aws, terminal, file, once, make, problem):
    aws.publish()
    make(file)
    before = file.lstat()
    assert once() == 2
    assert f"{str(file)!r} {problem}" in terminal.err
    assert (file.lstat().st_ino, file.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert aws.calls == []


def test_an_empty_file_is_as_good_as_none(aws, file, once):
    aws.publish()
    file.touch()
    assert once() == 0
    assert aws.version() in file.read_text()


def test_nothing_is_left_of_a_write_that_fails(aws, terminal, file, once, monkeypatch):
    written = []

    def no_space(_):
        written.extend(file.parent.glob(".token.json.*.new"))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    aws.publish()
    assert once() == 2
    assert "cannot be written: No space left on device" in terminal.err
    assert len(written) == 1
    assert list(file.parent.iterdir()) == []


def test_the_leftover_of_a_killed_writer_is_removed_by_the_next(aws, file, once):
    """The temporary file of another writer that is at work is not removed."""
    aws.publish()
    left = [file.parent / f".token.json.{number}.new" for number in range(2)]
    for number, path in enumerate(left):
        path.touch()
        os.utime(path, times=(0, 0) if number else None)
    assert once() == 0
    assert sorted(file.parent.iterdir()) == [left[0], file]
    assert token_file._LEFT_AFTER_SECONDS == 60
