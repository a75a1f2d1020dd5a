"""`write` keeps a token file current: whole, for its owner alone, and never with an expired token."""

import json
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from talend_token._command_line import token_file

UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")


class Ended(BaseException):
    """The test has seen enough."""


@pytest.fixture
def folder(tmp_path):
    """Emptied at the end, because a token file is what is searched for secrets that were left."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    yield folder
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            path.unlink()


@pytest.fixture
def file(folder):
    return folder / "token.json"


@pytest.fixture
def during(clock, monkeypatch):
    """Runs a function at each pause of the writer, with its number from 1; an `Ended` of it ends the writer."""

    def during(act):
        sleep, pauses = clock.sleep, []

        def pause(seconds):
            sleep(seconds)
            pauses.append(seconds)
            act(len(pauses))

        monkeypatch.setattr(clock, "sleep", pause)
        return pauses

    return during


def version_in(file):
    return json.loads(file.read_text())["version_id"]


def end(*_):
    raise Ended


def test_the_file_is_the_token_document(aws, terminal, file):
    aws.publish()
    assert terminal.run("write", "--once", str(file)) == 0
    assert file.read_text() == aws.secrets["talend-token/default/token"][-1]["text"] + "\n"
    assert (terminal.out, terminal.err) == ("", "")


def test_only_its_owner_may_read_it_and_nothing_is_left_beside_it(aws, terminal, file):
    aws.publish()
    before = os.umask(0)
    try:
        assert terminal.run("write", "--once", str(file)) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_it_is_replaced_and_not_written_into(aws, terminal, file):
    aws.publish(age=60)
    terminal.run("write", "--once", str(file))
    with file.open() as reader:
        old = version_in(file)
        aws.publish()
        assert terminal.run("write", "--once", str(file)) == 0
        assert json.load(reader)["version_id"] == old
    assert version_in(file) == aws.version()


def test_a_new_token_is_in_the_file_within_a_minute(aws, terminal, file, during):
    aws.publish()
    seen = []

    def act(number):
        seen.append(version_in(file))
        if number == 3:
            aws.publish()
        if number == 4:
            end()

    pauses = during(act)
    with pytest.raises(Ended):
        terminal.run("write", str(file))
    assert pauses == [60] * 4
    versions = [version["id"] for version in aws.secrets["talend-token/default/token"]]
    assert seen == [versions[0]] * 3 + [versions[1]]


def test_a_token_with_a_short_life_is_looked_at_more_often(aws, terminal, file, during):
    aws.publish(life=90)
    pauses = during(end)
    with pytest.raises(Ended):
        terminal.run("write", str(file))
    assert pauses == [3]


def test_a_file_that_was_taken_away_is_written_again(aws, terminal, file, during):
    aws.publish()

    def act(number):
        if number == 2:
            end()
        file.unlink()

    during(act)
    with pytest.raises(Ended):
        terminal.run("write", str(file))
    assert version_in(file) == aws.version()


def test_an_older_version_that_is_read_for_a_moment_is_not_written(aws, terminal, file, during):
    aws.publish(age=600)
    aws.publish()
    old, new = aws.secrets["talend-token/default/token"]
    seen = []

    def act(number):
        aws.secrets["talend-token/default/token"] = [old]
        if number == 2:
            # Then it is the only one that can be had.
            file.unlink()
        if number == 3:
            end()
        seen.append(version_in(file) if file.exists() else None)

    during(act)
    with pytest.raises(Ended):
        terminal.run("write", str(file))
    assert seen == [new["id"], None]
    assert not file.exists()


@pytest.mark.parametrize(
    ("fault", "exit_code"), [(UNREACHABLE, 4), ("AccessDeniedException", 5), ("ResourceNotFoundException", 6)]
)
def test_with_aws_down_the_file_stays_until_it_expires(aws, clock, terminal, file, during, fault, exit_code):
    aws.publish()
    expires_at = clock() + 1800
    lasted = []

    def act(_):
        aws.faults["get_secret_value"] = fault
        if file.exists():
            lasted.append(clock())

    during(act)
    assert terminal.run("write", str(file)) == exit_code
    assert not file.exists()
    # The last look is at the moment at which it is removed, a second or two before its token expires.
    assert expires_at - 3 <= lasted[-1] < expires_at
    said = terminal.err.splitlines()
    assert len(said) == 2
    assert "The file stays for " in said[0]


def test_an_outage_that_ends_is_reported_anew_the_next_time(aws, terminal, file, during):
    aws.publish()

    def act(number):
        aws.faults = {"get_secret_value": UNREACHABLE} if number in (1, 2, 4) else {}
        if number == 6:
            end()

    during(act)
    with pytest.raises(Ended):
        terminal.run("write", str(file))
    assert terminal._capsys.readouterr().err.count("The file stays for") == 2


def test_a_rotator_that_stops_has_the_file_removed(aws, terminal, file):
    aws.publish(age=1799)
    assert terminal.run("write", str(file)) == 6
    assert not file.exists()
    assert "has expired, and no newer token is published. `talend-token doctor` says why" in terminal.err


def test_the_timer_removes_the_file_while_a_read_hangs(aws, terminal, file, during):
    aws.publish()
    during(lambda number: number == 2 and end())
    exists = []

    def hang(_):
        if file.exists():
            assert 1700 < signal.getitimer(signal.ITIMER_REAL)[0] < 1800
            signal.raise_signal(signal.SIGALRM)
            exists.append(file.exists())

    aws.on_call = hang
    with pytest.raises(Ended):
        terminal.run("write", str(file))
    assert exists == [False]
    # It was still valid, so it is written again.
    assert file.exists()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


# --- once, and again ---


def test_once_with_aws_down_leaves_a_valid_file_and_says_so(aws, terminal, file):
    aws.publish()
    terminal.run("write", "--once", str(file))
    aws.faults["get_secret_value"] = UNREACHABLE
    assert terminal.run("write", "--once", str(file)) == 4
    assert version_in(file) == aws.version()


def test_once_with_aws_down_removes_an_expired_file(aws, clock, terminal, file):
    aws.publish()
    terminal.run("write", "--once", str(file))
    clock.advance(minutes=30)
    aws.faults["get_secret_value"] = UNREACHABLE
    assert terminal.run("write", "--once", str(file)) == 4
    assert not file.exists()


def test_an_expired_file_is_removed_before_aws_is_asked(aws, clock, terminal, file):
    aws.publish()
    terminal.run("write", "--once", str(file))
    clock.advance(minutes=30)
    aws.publish()
    seen = []
    aws.on_call = lambda _: seen.append(file.exists())
    assert terminal.run("write", "--once", str(file)) == 0
    assert seen == [False]
    assert version_in(file) == aws.version()


def test_another_accounts_token_in_the_file_is_replaced(aws, terminal, file):
    """Even by one that was issued earlier."""
    aws.publish(age=600)
    aws.publish("talend-token/sales/token")
    terminal.run("write", "--once", "--account", "sales", str(file))
    assert terminal.run("write", "--once", str(file)) == 0
    assert version_in(file) == aws.version()


def test_sigterm_ends_it_with_0_and_leaves_the_file(aws, terminal, file, during):
    aws.publish()
    before = signal.getsignal(signal.SIGTERM)
    during(lambda _: signal.raise_signal(signal.SIGTERM))
    assert terminal.run("write", str(file)) == 0
    assert version_in(file) == aws.version()
    assert signal.getsignal(signal.SIGTERM) is before
    assert terminal.err == ""


# --- the command after a change ---


@pytest.fixture
def changes(folder):
    """A file that grows with each run of the command, and the command."""
    log = folder / "log"
    return log, f'{sys.executable} -c \'open("{log}", "a").write("changed ")\''


def test_a_command_runs_after_each_change(aws, terminal, file, during, changes):
    log, command = changes
    aws.publish()

    def act(number):
        if number == 2:
            aws.publish()
        if number == 4:
            end()

    during(act)
    with pytest.raises(Ended):
        terminal.run("write", "--on-change", command, str(file))
    assert log.read_text() == "changed changed "


@pytest.mark.parametrize(
    ("command", "said"),
    [("false", "'false' failed with exit code 1"), ("/no/such/command", "'/no/such/command' failed: FileNotFound")],
)
def test_a_command_that_fails_is_reported_and_the_file_stays(aws, terminal, file, command, said):
    aws.publish()
    assert terminal.run("write", "--once", "--on-change", command, str(file)) == 0
    assert said in terminal.err
    assert file.exists()


def test_a_command_that_hangs_is_ended(aws, terminal, file, monkeypatch):
    monkeypatch.setattr("talend_token._command_line.write_command._ON_CHANGE_SECONDS", 0.01)
    aws.publish()
    assert terminal.run("write", "--once", "--on-change", "sleep 60", str(file)) == 0
    assert "'sleep' failed: TimeoutExpired" in terminal.err


def test_a_command_with_an_open_quote_is_wrong_usage(aws, terminal, file):
    assert terminal.run("write", "--on-change", "echo 'x", str(file)) == 2
    assert aws.calls == []


# --- files that are not ours ---


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
def test_anything_else_than_a_token_file_is_left_alone(aws, terminal, file, make, problem):
    aws.publish()
    make(file)
    before = file.lstat()
    assert terminal.run("write", "--once", str(file)) == 2
    assert f"{str(file)!r} {problem}" in terminal.err
    assert (file.lstat().st_ino, file.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    if file.is_dir():
        file.rmdir()
    assert aws.calls == []


def test_an_empty_file_is_as_good_as_none(aws, terminal, file):
    aws.publish()
    file.touch()
    assert terminal.run("write", "--once", str(file)) == 0
    assert version_in(file) == aws.version()


def test_a_link_that_is_put_in_its_place_later_is_refused(aws, terminal, file, during):
    aws.publish()

    def act(_):
        file.unlink()
        link(file)
        aws.publish()

    during(act)
    assert terminal.run("write", str(file)) == 2
    assert file.is_symlink()
    assert file.read_text() == ""


def test_a_missing_folder_is_named(aws, terminal, folder):
    aws.publish()
    file = folder / "missing" / "token.json"
    assert terminal.run("write", "--once", str(file)) == 2
    assert f"cannot be written: No such file or directory. Check folder {str(file.parent)!r}" in terminal.err


def test_a_file_that_cannot_be_read_is_reported(terminal, folder):
    # For root, too, who may read everything else.
    file = folder / ("x" * 300)
    assert terminal.run("write", "--once", str(file)) == 2
    assert "File name too long" in terminal.err


def test_nothing_is_left_of_a_write_that_fails(aws, terminal, file, monkeypatch):
    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    aws.publish()
    assert terminal.run("write", "--once", str(file)) == 2
    assert "cannot be written: No space left on device" in terminal.err
    assert list(file.parent.iterdir()) == []


def test_what_a_killed_writer_has_left_is_removed_by_the_next(aws, terminal, file):
    """That of another one that is at work is not."""
    aws.publish()
    left = [file.parent / f".token.json.{number}.new" for number in range(2)]
    for number, path in enumerate(left):
        path.touch()
        os.utime(path, times=(0, 0) if number else None)
    assert terminal.run("write", "--once", str(file)) == 0
    assert sorted(file.parent.iterdir()) == [left[0], file]
    assert token_file._LEFT_AFTER_SECONDS == 60
