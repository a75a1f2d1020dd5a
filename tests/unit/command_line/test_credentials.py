"""`credentials` checks a pair as the rotator does, stores it, and waits for its token."""

import base64
import io
import json
from unittest.mock import Mock, call

import pytest

from doubles import marked
from doubles.aws import TOKEN
from talend_token._command_line import credentials_command

SECRET = marked("a secret that is typed")
PAIR = f"abc:{SECRET}"
ENCODED = base64.b64encode(PAIR.encode()).decode()
JSON = json.dumps({"id": "abc", "secret": SECRET, "api_url": "https://api.us.cloud.talend.com"})


@pytest.fixture
def typed(monkeypatch):
    """Answers the prompts at a terminal, and returns the calls for them."""

    def type_in(*answers):
        getpass = Mock(side_effect=[*answers, EOFError])
        monkeypatch.setattr(credentials_command, "getpass", getpass)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        return getpass.mock_calls

    return type_in


def stored(aws, account="default"):
    return [version["text"] for version in aws.secrets[f"talend-token/{account}/credentials"]]


def answer_doctor(aws, **check):
    answer = {"outcome": "checked", "checks": [{"link": "token call", **check}]}
    aws.functions["talend-token-rotate"] = lambda _: answer


def test_the_pair_is_asked_for_stored_and_waited_for(aws, clock, terminal, typed):
    """An earlier token is not taken for the new one."""
    aws.publish(age=60)
    answer_doctor(aws, ok=True, detail="200")
    aws.on_call = lambda _: len(clock.slept) == 2 and len(aws.secrets[TOKEN]) == 1 and aws.publish()
    prompts = typed("abc", SECRET)
    assert terminal.run("credentials") == 0
    assert prompts == [call("ID, or ID:secret (not shown): "), call("secret (not shown): ")]
    assert stored(aws) == [PAIR]
    assert terminal.out == (
        "stored: account 'default' has new credentials\n"
        "✓ token call: 200\n"
        f"published: account 'default' has version {aws.version()}, valid for 30 min, until 22:59:51Z\n"
    )


def test_a_token_that_is_published_at_once_is_noticed(aws, clock, terminal, folder):
    answer_doctor(aws, ok=True, detail="200")
    aws.on_call = lambda operation: operation == "put_secret_value" and aws.publish()
    (folder / "pair.txt").write_text(PAIR)
    assert terminal.run("credentials pair.txt") == 0
    assert clock.slept == []


def test_both_parts_may_be_pasted_at_once(aws, terminal, typed):
    prompts = typed(f" {PAIR} ")
    assert terminal.run("credentials") == 0
    assert len(prompts) == 1
    assert stored(aws) == [PAIR]


@pytest.mark.parametrize("content", [f"\ufeff{PAIR}\r\n", JSON], ids=["text", "JSON"])
@pytest.mark.parametrize("place", ["pair.txt", "-"])
def test_the_pair_is_read_from_a_file_or_standard_input(aws, terminal, folder, monkeypatch, place, content):
    aws.add_account("sales")
    aws.on_call = lambda operation: operation == "invoke" and aws.publish("talend-token/sales/token")
    (folder / "pair.txt").write_bytes(content.encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode() if place == "-" else b"")))
    assert terminal.run("credentials --account sales", place) == 0
    assert stored(aws, "sales") == [JSON if content == JSON else PAIR]


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([ENCODED], "the pair holds encoded credentials. It looks like Base64"),
        (["abc", ENCODED], "the pair holds encoded credentials. It looks like Base64"),
        (["", SECRET], "the pair is empty"),
        (["abc", ""], "the pair has an empty secret"),
        ([f"abc:“{SECRET}”"], "LEFT DOUBLE QUOTATION MARK"),
        (["abc"], "the input has ended"),
    ],
)
def test_a_pair_that_the_rotator_would_refuse_is_not_stored(aws, terminal, typed, answers, problem):
    typed(*answers)
    assert terminal.run("credentials") == 2
    assert "nothing is stored: the " in terminal.err
    assert problem in terminal.err
    assert terminal.err.count("\n") == 1
    assert stored(aws) == []


def test_standard_input_is_named_if_it_is_not_text(terminal, aws, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert terminal.run("credentials -") == 2
    assert "talend-token: standard input is not UTF-8 text" in terminal.err
    assert stored(aws) == []


def test_a_broken_link_is_shown_instead_of_waiting(aws, clock, terminal, typed):
    answer_doctor(aws, ok=False, detail="answered 401. Store another pair.")
    typed("abc", SECRET)
    assert terminal.run("credentials") == 1
    assert terminal.out.endswith("✗ token call: answered 401\n    Store another pair.\n")
    assert clock.slept == []
