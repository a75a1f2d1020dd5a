"""Help, unexpected errors, pipes, interrupts and colors are the same for every command."""

import io
import re
import runpy
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from unittest.mock import Mock

import pytest

from talend_token._command_line import entry, screen
from talend_token._command_line.parser import parser

COMMANDS = ("token", "status", "doctor", "rotate", "renew", "credentials", "exec", "write")


# --- exit codes ---


@pytest.mark.parametrize(("end", "exit_code"), [(KeyboardInterrupt(), 130), (SystemExit(), 0)])
def test_an_interrupt_is_130_and_an_exit_without_a_code_is_0(aws, terminal, end, exit_code):
    aws.faults["get_secret_value"] = end
    assert terminal.run("token") == exit_code
    assert (terminal.out, terminal.err) == ("", "")


@pytest.mark.parametrize(("stream", "command"), [("stdout", "status"), ("stderr", "renew")])
def test_a_closed_pipe_is_141(aws, terminal, monkeypatch, stream, command):
    aws.faults["get_secret_value"] = "AccessDeniedException"
    monkeypatch.setattr(getattr(sys, stream), "write", Mock(side_effect=BrokenPipeError))
    assert terminal.run(command) == 141


@pytest.mark.parametrize("streams", [("stdout", "stderr"), ("stderr", "stdout")])
def test_after_a_closed_pipe_the_interpreter_writes_to_the_null_device(monkeypatch, tmp_path, streams):
    """Otherwise the interpreter would fail again when it ends."""
    with (tmp_path / "out").open("w") as out:
        for name, stream in zip(streams, (out, io.StringIO()), strict=True):
            monkeypatch.setattr(sys, name, stream)
        assert entry._pipe_closed() == 141
        out.write("lost")
    assert (tmp_path / "out").read_text() == ""


# --- help ---


def test_the_help_of_each_command_is_the_text_in_the_file_beside(terminal):
    """After a change of the help, change that file too. Versions of Python wrap the usage differently."""
    shown = []
    for command in ("", *COMMANDS):
        assert terminal.run(command, "--help") == 0
        shown.append(re.sub(r" \[-h\].*?\n\n", "\n\n", terminal.out, count=1, flags=re.DOTALL))
    assert "\n".join(shown) == Path(__file__).with_name("help.txt").read_text()


def test_options_that_all_commands_have_stand_before_or_after_the_command():
    options = ["--stack", "a", "--account", "b", "--region", "c", "--profile", "d", "--debug"]
    before, after = parser().parse_args([*options, "token"]), parser().parse_args(["token", *options])
    assert before == after
    assert (after.stack, after.account, after.region, after.profile, after.debug) == ("a", "b", "c", "d", True)
    assert after.min_remaining == 0


@pytest.mark.parametrize(
    ("found", "shown"),
    [(["1.2.3"], "1.2.3"), (PackageNotFoundError, "(not installed: running from a folder)")],
)
def test_the_version_is_that_of_the_installed_package(terminal, monkeypatch, found, shown):
    version = Mock(side_effect=found)
    monkeypatch.setattr("importlib.metadata.version", version)
    assert terminal.run("--version") == 0
    assert terminal.out == f"talend-token {shown}\n"
    version.assert_called_once_with("talend-token")


# --- errors ---


def test_debug_adds_the_traceback(aws, terminal):
    aws.faults["get_secret_value"] = "AccessDeniedException"
    assert terminal.run("--debug token") == 5
    first, *frames, error, last = terminal.err.splitlines()
    assert (first, error) == ("Traceback (most recent call last):", "AWSError")
    assert last.startswith("talend-token: account 'default'")
    assert "place.py" in terminal.err
    assert all(line.startswith("  ") for line in frames)


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_the_program_is_one_line_without_its_message(aws, terminal, debug):
    """The message of another program's error may repeat its input."""
    secret = "hun" + "ter2"

    def fault(_):
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise ValueError(secret) from error

    aws.on_call = fault
    assert terminal.run("rotate --debug" if debug else "rotate") == 1
    assert secret not in terminal.err
    last = terminal.err.splitlines()[-1]
    assert last == "talend-token: unexpected ValueError. Please report it, with the output of --debug."
    assert terminal.err.count("Traceback") == 2 * debug
    assert ("\nKeyError\n" in terminal.err) == debug


# --- color and progress ---


@pytest.fixture
def show_status(aws, terminal, monkeypatch):
    """Return the outputs of `status` at a terminal."""

    def show_status():
        aws.publish(age=300)
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)
        assert terminal.run("status") == 0
        return terminal.out, terminal.err

    return show_status


def test_a_terminal_gets_color_and_progress(aws, show_status):
    aws.add_account("sales")
    aws.alarms_on = {"talend-token-DefaultAccount-TokenAlarm"}
    out, err = show_status()
    headings, default, sales = out.splitlines()
    assert re.fullmatch("\x1b\\[2maccount .* alarms\x1b\\[0m", headings)
    assert re.fullmatch("default  \x1b\\[32mfresh  \x1b\\[0m .* \x1b\\[31mTokenAlarm\x1b\\[0m", default)
    assert re.fullmatch("sales    \x1b\\[31mmissing\x1b\\[0m  - +- +- .* none", sales)
    shown = screen.Screen({})
    assert [shown.mark(ok) for ok in (True, False)] == ["\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m"]
    assert err.startswith("\rreading stack 'talend-token' (0 s)")
    assert err.endswith("\r\x1b[K")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_a_dumb_terminal_get_text_alone(show_status, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out, err = show_status()
    assert "fresh" in out
    assert "\x1b" not in out
    assert err == ""


class Buffered(io.TextIOWrapper):
    """A terminal that shows only what is flushed."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8")

    def isatty(self):
        return True

    @property
    def shown(self):
        return self.buffer.getvalue().decode()


@pytest.mark.parametrize(("frame_seconds", "frames"), [(60, 1), (0.001, 3)])
def test_progress_is_shown_at_once_and_until_the_block_ends(monkeypatch, frame_seconds, frames):
    monkeypatch.setattr(sys, "stdout", Buffered())
    monkeypatch.setattr(sys, "stderr", Buffered())
    monkeypatch.setattr(screen, "_FRAME_SECONDS", frame_seconds)
    begun = time.monotonic()
    with screen.Screen({}).progress("waiting"):
        while sys.stderr.shown.count("\rwaiting") < frames:
            assert time.monotonic() < begun + 30
    assert re.fullmatch(r"(\rwaiting \(\d+ s\))+\r\x1b\[K", sys.stderr.shown)
    screen.Screen({}).print("at once")
    assert sys.stdout.shown == "at once\n"


def test_an_output_without_unicode_gets_ascii(aws, terminal, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    aws.publish(age=300)
    assert terminal.run("status") == 0
    checks = [{"link": "key", "ok": ok, "detail": "x"} for ok in (True, False)]
    aws.functions["talend-token-rotate"] = lambda _: {"outcome": "checked", "checks": checks}
    assert terminal.run("doctor") == 1
    printed = out.buffer.getvalue().decode()
    assert " ########.. " in printed
    assert screen.Screen({}).bar(1.5) == "#" * 10
    assert printed.endswith("ok key: x\nno key: x\n")


# --- the package ---


def test_the_package_is_the_command(aws, monkeypatch):
    aws.stacks.clear()
    monkeypatch.setattr(sys, "argv", ["talend-token", "rotate"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("talend_token", run_name="__main__")
    assert ended.value.code == 6
