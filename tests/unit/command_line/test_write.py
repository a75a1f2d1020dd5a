"""`write` keeps a token file current: whole, for its owner alone, and never with an expired token."""

import json
import os
import signal
import stat
import subprocess
from contextlib import suppress
from types import SimpleNamespace

import pytest

from doubles.aws import TOKEN
from unit.command_line.conftest import UNREACHABLE


class Ended(BaseException):
    """The test has seen enough."""


@pytest.fixture
def watch(aws, clock, terminal, file):
    """Keep the file current, and act before each read but the first, with the number of pauses until then.

    Return the exit code, or None if the read after the pause number `ends_at` has ended the writer.
    """

    def watch(act, *options, ends_at=None):
        def on_call(_):
            if clock.slept:
                act(len(clock.slept))
            if len(clock.slept) == ends_at:
                raise Ended

        aws.on_call = on_call
        with suppress(Ended):
            return terminal.run("write", *options, str(file))

    return watch


def version_in(file):
    return json.loads(file.read_text())["version_id"]


# --- the file ---


def test_the_file_is_the_token_document_and_only_its_owner_may_read_it(aws, terminal, file, once):
    aws.publish()
    before = os.umask(0)
    try:
        assert once() == 0
    finally:
        os.umask(before)
    assert file.read_text() == aws.secrets[TOKEN][-1]["text"] + "\n"
    assert (terminal.out, terminal.err) == ("", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_file_of_another_account_is_replaced_and_not_written_into(aws, file, once):
    """Even by a token that was issued earlier."""
    aws.publish(age=600)
    aws.publish("talend-token/sales/token")
    once("--account", "sales")
    with file.open() as reader:
        assert once() == 0
        assert json.load(reader)["version_id"] == aws.version("talend-token/sales/token")
    assert version_in(file) == aws.version()


# --- kept current ---


def test_a_new_token_or_a_removed_file_is_written_within_a_minute(aws, clock, file, watch):
    aws.publish()
    seen = []

    def act(number):
        seen.append(version_in(file))
        if number == 1:
            file.unlink()
        if number == 3:
            # It was issued in the same second as the first one.
            aws.publish(age=180)

    watch(act, ends_at=4)
    assert clock.slept == [60] * 4
    versions = [version["id"] for version in aws.secrets[TOKEN]]
    assert seen == [versions[0]] * 3 + [versions[1]]


def test_a_token_that_is_valid_for_a_short_time_is_read_more_often(aws, clock, watch):
    aws.publish(life=90)
    watch(lambda _: None, ends_at=1)
    assert clock.slept == [3]


def test_an_older_version_that_is_read_for_a_moment_is_not_written(aws, file, watch):
    aws.publish(age=600)
    aws.publish()
    old, new = aws.secrets[TOKEN]
    seen = []

    def act(number):
        aws.secrets[TOKEN] = [old]
        if number == 2:
            # From now on, the file cannot hold another version.
            file.unlink()
        seen.append(version_in(file) if file.exists() else None)

    watch(act, ends_at=3)
    assert seen == [new["id"], None, None]


@pytest.mark.parametrize(
    ("fault", "late", "date_error", "exit_code"),
    [
        (UNREACHABLE, 0, 0, 4),
        ("AccessDeniedException", 0, 0, 5),
        ("ResourceNotFoundException", 0, 0, 6),
        # This machine's clock is late.
        (UNREACHABLE, 900, 900, 4),
        # A wrong date of an answer never lets a file stay for longer.
        (UNREACHABLE, 0, -900, 4),
    ],
)
def test_with_aws_down_the_file_stays_until_it_expires(
    aws, clock, terminal, file, watch, fault, late, date_error, exit_code
):
    aws.publish()
    aws.date_error = late
    expires_at = clock() + 1800 - late
    reads = []

    def act(number):
        aws.date_error = date_error
        if number > 1:
            aws.faults["get_secret_value"] = fault
        reads.append((clock(), file.exists()))

    assert watch(act) == exit_code
    removed_at = min(moment for moment, stays in reads if not stays)
    assert expires_at - 3 <= removed_at < expires_at
    first, _ = terminal.err.splitlines()
    assert "The file stays for " in first


def test_an_outage_that_ends_is_reported_again_the_next_time(aws, terminal, watch):
    aws.publish()

    def act(number):
        aws.faults = {"get_secret_value": UNREACHABLE} if number in (1, 2, 4) else {}

    watch(act, ends_at=6)
    assert terminal.err.count("The file stays for") == 2


def test_the_timer_is_off_while_the_file_is_replaced(aws, watch, monkeypatch):
    """Otherwise it might remove the new file."""
    timers = []
    monkeypatch.setattr(os, "fsync", lambda _: timers.append(signal.getitimer(signal.ITIMER_REAL)[0]))
    aws.publish()
    watch(lambda _: aws.publish(), ends_at=2)
    assert timers == [0, 0]


def test_the_timer_removes_the_file_while_a_read_hangs(aws, file, watch):
    aws.publish()
    exists = []

    def hang():
        assert 1700 < signal.getitimer(signal.ITIMER_REAL)[0] < 1800
        signal.raise_signal(signal.SIGALRM)
        exists.append(file.exists())

    watch(lambda number: number == 1 and hang(), ends_at=2)
    assert exists == [False]
    # It was still valid, so it is written again.
    assert file.exists()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_sigterm_ends_it_with_0_and_leaves_the_file(aws, terminal, file, watch):
    aws.publish()
    assert watch(lambda _: signal.raise_signal(signal.SIGTERM)) == 0
    assert version_in(file) == aws.version()
    assert terminal.err == ""


# --- once, with the file of an earlier run ---


@pytest.mark.parametrize(("minutes", "fault", "exit_code"), [(0, UNREACHABLE, 4), (30, UNREACHABLE, 4), (30, None, 0)])
def test_an_expired_file_is_removed_before_aws_is_asked(aws, clock, file, once, minutes, fault, exit_code):
    aws.publish()
    once()
    clock.advance(minutes=minutes)
    aws.publish()
    aws.faults = {"get_secret_value": fault}
    seen = []
    aws.on_call = lambda _: seen.append(file.exists())
    assert once() == exit_code
    assert seen == [minutes == 0]
    assert file.exists() == (minutes == 0 or fault is None)


def test_a_file_is_written_in_the_last_second_in_which_it_may_be_there(aws, file, once):
    aws.publish(age=1797)
    assert once() == 0
    assert version_in(file) == aws.version()


# --- the command after a change ---


def test_a_command_runs_after_each_change(aws, folder, watch):
    log = folder / "log"
    command = f"sh -c 'echo changed >> {log}'"
    aws.publish()
    watch(lambda number: number == 2 and aws.publish(), "--on-change", command, ends_at=4)
    assert log.read_text() == "changed\n" * 2


def test_the_timer_is_on_while_the_command_runs(aws, once, monkeypatch):
    timers = []

    def run(*_, **__):
        timers.append(signal.getitimer(signal.ITIMER_REAL)[0])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    aws.publish()
    assert once("--on-change", "true") == 0
    assert 1700 < timers[0] < 1800


@pytest.mark.parametrize(
    ("command", "seconds", "problem"),
    [
        ("false", 60, "'false' failed with exit code 1"),
        ("/no/such/command", 60, "'/no/such/command' failed: FileNotFound"),
        ("sleep 60", 0.01, "'sleep' failed: TimeoutExpired"),
    ],
)
def test_a_command_that_fails_leaves_the_file(aws, terminal, file, once, monkeypatch, command, seconds, problem):
    monkeypatch.setattr("talend_token._command_line.write_command._ON_CHANGE_SECONDS", seconds)
    aws.publish()
    assert once("--on-change", command) == 0
    assert problem in terminal.err
    assert file.exists()


def test_a_link_that_is_put_in_its_place_later_is_refused(aws, file, watch):
    aws.publish()

    def act(_):
        file.unlink()
        file.symlink_to(file.parent / "target")
        aws.publish()

    assert watch(act) == 2
    assert file.is_symlink()
    assert list(file.parent.iterdir()) == [file]
