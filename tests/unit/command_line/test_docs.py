"""docs/command-line.md has the commands, exit codes, rights and JSON of the code."""

import argparse
import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from talend_token._command_line.failure import EXIT_CODES
from talend_token._command_line.parser import parser

PAGE = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text()
DOCUMENTS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def commands():
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        yield from re.findall(r"talend-token [^|)\n]*", re.sub(r"shtab .*", "", block, flags=re.DOTALL))


def shape(value):
    """Return the names and types of the members of a JSON document."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else type(value)


def test_the_exit_codes_are_those_of_the_code():
    table = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.partition("## Exit codes")[2], re.MULTILINE)
    assert {int(code): meaning for code, meaning in table} == EXIT_CODES


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_that_is_shown_is_understood(command):
    parser().parse_args(shlex.split(command)[1:])


def test_every_command_is_explained():
    headings = " ".join(re.findall(r"^### (.*)$", PAGE, re.MULTILINE))
    (actions,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(headings.split()) - {"and"} == actions.choices.keys()


def test_json_has_the_shape_that_is_shown(aws, terminal):
    aws.publish()
    shown = [document for document in DOCUMENTS if "Statement" not in document]
    for command in ("token --json", "token --exec-credential", "status --json"):
        assert terminal.run(command) == 0
        assert shape(json.loads(terminal.out)) == shape(shown.pop(0))
    assert shown == []


def test_the_policy_allows_what_the_commands_call(aws, terminal, folder):
    aws.add_account("sales")
    (folder / "pair.txt").write_text("abc:def")
    for command in ("credentials pair.txt", "rotate", "renew", "doctor", "status", "token", "write --once file"):
        assert terminal.run(command) == 0, terminal.err
    services = {
        **dict.fromkeys(("describe_stacks", "list_imports", "list_stack_resources"), "cloudformation"),
        **dict.fromkeys(("get_secret_value", "put_secret_value", "list_secret_version_ids"), "secretsmanager"),
        "describe_alarms": "cloudwatch",
        "get_schedule": "scheduler",
        "invoke": "lambda",
    }
    called = {f"{services[call]}:{call.title().replace('_', '')}" for call in aws.calls}
    (policy,) = [json.dumps(document) for document in DOCUMENTS if "Statement" in document]
    actions = set(re.findall(rf'"((?:{"|".join(services.values())}):\w+)"', policy))
    # Invoke is the only call whose action has another name.
    assert actions == {action.replace("lambda:Invoke", "lambda:InvokeFunction") for action in called}


def test_the_parser_is_where_shell_completion_looks_for_it():
    module, _, name = re.search(r"shtab .* ([\w.]+) \\", PAGE)[1].rpartition(".")
    assert isinstance(getattr(import_module(module), name)(), argparse.ArgumentParser)
