"""Help, unexpected errors, pipes, interrupts and colors are the same for every command."""

import io
import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from talend_token._command_line import entry, screen
from talend_token._command_line.failure import EXIT_CODES
from talend_token._command_line.parser import parser
from unit.command_line.conftest import Stream

ROOT = Path(__file__).parents[3]
COMMANDS = ("token", "status", "doctor", "rotate", "renew", "credentials", "exec", "write")


class ClosedPipe(Stream):
    """A pipe whose reader is gone."""

    def write(self, _):
        raise BrokenPipeError


# --- exit codes ---


def test_ctrl_c_is_130(aws, terminal):
    aws.faults["get_secret_value"] = KeyboardInterrupt()
    assert terminal.run("token") == 130
    assert (terminal.out, terminal.err) == ("", "")


@pytest.mark.parametrize(("stream", "command"), [("stdout", "status"), ("stderr", "token")])
def test_a_closed_pipe_is_141(aws, terminal, monkeypatch, stream, command):
    aws.faults["get_secret_value"] = "AccessDeniedException"
    monkeypatch.setattr(sys, stream, ClosedPipe())
    assert terminal.run(command) == 141


def test_the_help_of_status_lists_every_exit_code(terminal):
    assert terminal.run("status", "--help") == 0
    for exit_code, meaning in EXIT_CODES.items():
        assert re.search(rf"^  {exit_code} +{re.escape(meaning.replace('`', ''))}$", terminal.out, re.MULTILINE)


# --- help ---


def test_the_help_names_every_command(terminal):
    assert terminal.run("--help") == 0
    assert re.findall(r"^    (\w+) ", terminal.out, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_examples(terminal, command):
    assert terminal.run(command, "--help") == 0
    assert re.search(rf"^examples:\n  .*talend-token {command}", terminal.out, re.MULTILINE)
    assert terminal.err == ""


def test_options_that_all_commands_have_stand_before_or_after_the_command():
    options = ["--stack", "a", "--account", "b", "--region", "c", "--profile", "d", "--debug"]
    before, after = parser().parse_args([*options, "token"]), parser().parse_args(["token", *options])
    assert before == after
    assert (after.stack, after.account, after.region, after.profile, after.debug) == ("a", "b", "c", "d", True)


def test_the_version_is_that_of_the_installed_package(terminal, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"talend-token": "1.2.3"}[name])
    assert terminal.run("--version") == 0
    assert terminal.out == "talend-token 1.2.3\n"


def test_the_version_of_a_folder_is_not_known(terminal):
    assert terminal.run("--version") == 0
    assert re.fullmatch(r"talend-token (\d+\.\d+\.\d+|\(not installed: running from a folder\))\n", terminal.out)


# --- errors ---


def test_debug_adds_the_traceback(aws, terminal):
    aws.faults["get_secret_value"] = "AccessDeniedException"
    assert terminal.run("--debug", "token") == 5
    first, *frames, error, last = terminal.err.splitlines()
    assert (first, error) == ("Traceback (most recent call last):", "AWSError")
    assert last.startswith("talend-token: account 'default'")
    assert frames
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
    assert terminal.run("rotate", *(["--debug"] if debug else [])) == 1
    assert secret not in terminal.err
    last = terminal.err.splitlines()[-1]
    assert last == "talend-token: unexpected ValueError. Please report it, with the output of --debug."
    assert terminal.err.count("Traceback") == 2 * debug
    assert ("\nKeyError\n" in terminal.err) == debug


def test_after_a_closed_pipe_the_interpreter_writes_to_the_null_device(monkeypatch, tmp_path):
    """Otherwise the interpreter would fail again when it ends."""
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        assert entry._pipe_closed() == 141
        out.write("lost")
    assert (tmp_path / "out").read_text() == ""


def test_an_exit_without_a_code_is_a_success(aws, terminal):
    aws.faults["get_secret_value"] = RuntimeError()
    aws.on_call = lambda _: sys.exit()
    assert terminal.run("rotate") == 0


# --- color and progress ---


def terminals(monkeypatch):
    """Make both outputs terminals, and return them. As a fixture, pytest would capture them again."""
    out, err = Stream(is_terminal=True), Stream(is_terminal=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_a_terminal_gets_color_and_progress(aws, terminal, monkeypatch):
    aws.publish()
    aws.alarms_on = {"talend-token-DefaultAccount-TokenAlarm"}
    out, err = terminals(monkeypatch)
    assert terminal.run("status") == 0, err.text
    assert "\x1b[32mfresh\x1b[0m" in out.text
    assert "\x1b[31mTokenAlarm\x1b[0m" in out.text
    assert err.text.startswith("\rreading stack 'talend-token' (0 s)")
    assert err.text.endswith("\r\x1b[K")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_a_dumb_terminal_get_text_alone(aws, terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out, err = terminals(monkeypatch)
    aws.publish()
    assert terminal.run("status") == 0
    assert "fresh" in out.text
    assert "\x1b" not in out.text
    assert err.text == ""


def test_progress_goes_on_until_the_block_ends(monkeypatch):
    err = Stream(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(screen, "_FRAME_SECONDS", 0.001)
    begun = time.monotonic()
    with screen.Screen({}).progress("waiting"):
        while err.text.count("\rwaiting") < 3:
            assert time.monotonic() < begun + 30
    assert err.text.endswith("\r\x1b[K")


def test_a_terminal_without_unicode_gets_ascii(aws, terminal, monkeypatch):
    out = Stream(encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    aws.publish()
    assert terminal.run("status") == 0
    assert "########.." in out.text.replace("##########", "########..")
    aws.functions["talend-token-rotate"] = lambda _: {
        "outcome": "checked",
        "checks": [{"link": "key", "ok": ok, "detail": "x"} for ok in (True, False)],
    }
    terminal.run("doctor")
    assert out.text.endswith("ok key: x\nno key: x\n")


# --- the package ---


def printed_by(script):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "functions")}
    command = [sys.executable, "-c", f"import sys; {script}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.mark.true_source
def test_importing_the_client_does_not_import_the_command_line():
    script = "import talend_token, talend_token.secrets_manager; print([m for m in sys.modules if 'command' in m])"
    assert printed_by(script) == "[]\n"


@pytest.mark.true_source
def test_token_imports_no_module_of_another_command():
    script = (
        "from talend_token._command_line.entry import main; main(['token', '--profile', 'nix']); print(*sys.modules)"
    )
    names = {name.removeprefix("talend_token._command_line.") for name in printed_by(script).split()}
    assert {"aws", "entry", "failure", "parser", "place", "screen", "token_command"} <= names
    assert [name for name in names if name.endswith("_command") and "." not in name] == ["token_command"]


def test_the_package_is_the_command(aws, monkeypatch):
    aws.stacks.clear()
    monkeypatch.setattr(sys, "argv", ["talend-token", "rotate"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("talend_token", run_name="__main__")
    assert ended.value.code == 6
