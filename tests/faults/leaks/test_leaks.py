"""Every test fails if it leaks a secret. Here leaks are planted, and the search has to find them."""

import base64
import hashlib
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from doubles.marked import marked
from faults.leaks.search import Marks
from faults.size import chosen
from local_aws import LocalAWS

pytest_plugins = ["pytester"]

TESTS = Path(__file__).resolve().parents[2]
FUNCTIONS = TESTS.parent / "functions"
SECRET = "Zq9-x_Kw7:Lm3/Tn5+Rb1Vy8Hc2"
# Of `marked("planted")`, which is not announced here: this run of the tests would find it.
PIECE = base64.urlsafe_b64encode(hashlib.sha256(b"planted").digest()).decode()[20:28]
AROUND = ("", "a", "ab")

# Each is a test; `plant` is a secret, or a word that is none. `ours` runs code as if it lay with the functions.
PLACES = {
    "log line": 'logging.getLogger("any").warning("the token is %s", plant)',
    "exception message": 'ours("def f(x):\\n raise ValueError(x)")',
    "exception cause": 'ours("def f(x):\\n try:\\n  int(x)\\n except ValueError as e:\\n  raise ValueError from e")',
    "exception context": 'ours("def f(x):\\n try:\\n  raise KeyError(x)\\n except KeyError:\\n  raise ValueError")',
    "note": 'ours("def f(x):\\n e = ValueError()\\n e.add_note(x)\\n raise e")',
    "local variable": 'ours("def f(x):\\n raise ValueError")',
    "return value": 'ours("def f(x):\\n return [x]")',
    "metric dimension": 'print(json.dumps({"_aws": {}, "account": plant}))',
    "child's output": 'subprocess.run([sys.executable, "-c", f"print({plant!r})"], capture_output=True)',
    "error of a child": 'subprocess.run([sys.executable, "-c", f"raise SystemExit({plant!r})"], capture_output=True)',
    "file": '(tmp_path / "left").write_text(plant)',
    "event detail": 'aws("events").put_events(Entries=[EVENT | {"Detail": json.dumps({"x": plant})}])',
    "item": 'aws("dynamodb").put_item(TableName="locks", Item={"id": {"S": plant}})',
    "name of a secret": 'aws("secretsmanager").get_secret_value(SecretId=plant)',
}
PLANTED = """
import base64, contextlib, json, logging, subprocess, sys
import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from doubles.marked import marked

EVENT = {{"Source": "any", "DetailType": "any"}}

def aws(service):
    return boto3.client(service, "eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")

def test(tmp_path):
    secret = marked("planted")
    plant = {plant}
    def ours(source):
        names = {{}}
        exec(compile(source, {functions!r} + "/planted.py", "exec"), names)
        with contextlib.suppress(ValueError):
            names["f"](plant)
    with mock_aws(), contextlib.suppress(ClientError):
        {place}
"""


def planted(pytester, monkeypatch, plant):
    """Plant a leak in each place, in a pytest of its own with the suite's plugin, and return its result."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS / "support"), str(FUNCTIONS)]))
    for number, place in enumerate(PLACES.values()):
        source = PLANTED.format(plant=plant, place=place, functions=str(FUNCTIONS))
        pytester.makepyfile(**{f"test_{number}": source})
    options = ("-p", "faults.leaks.plugin", "-p", "no:randomly", "-p", "no:cacheprovider", "-rA")
    return pytester.runpytest_subprocess(*options)


PLANTS = ["secret", "secret[20:28]"]
ENCODED = [
    "base64.b64encode(b'x' + secret.encode()).decode()",
    "''.join(f'%{ord(character):02X}' for character in secret)",
    "''.join(f'\\\\u{ord(character):04x}' for character in secret)",
    "secret.encode().hex()",
]


@pytest.mark.parametrize("plant", [*PLANTS, *chosen([], ENCODED)])
def test_a_leak_at_any_place_fails_the_run_and_is_not_shown(pytester, monkeypatch, plant):
    said = planted(pytester, monkeypatch, plant).stdout.str()
    # Files are searched at the end of the run, and a leak there is reported with the last test.
    places = {name: number for number, name in enumerate(PLACES) if name != "file"}
    assert [name for name, number in places.items() if f"test_{number}.py::test has let a secret out" not in said] == []
    assert "left: a piece of a secret" in said
    assert PIECE not in said


def test_there_is_no_alarm_where_nothing_is_planted(pytester, monkeypatch):
    result = planted(pytester, monkeypatch, '"nothing in particular"')
    assert result.ret == 0
    result.assert_outcomes(passed=len(PLACES))


FORMS = {
    "raw": lambda text: text,
    "piece": lambda text: text[11:19],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "percent": lambda text: quote(text, safe=""),
    "percent, every character": lambda text: "".join(f"%{ord(character):02X}" for character in text),
    "JSON": lambda text: json.dumps("".join(f"\\u{ord(character):04x}" for character in text)),
    "hex": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("before", AROUND)
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_every_form_wherever_in_a_text_it_begins(form, before):
    marks = Marks()
    secret = marked("any")
    marks.add(secret)
    text = FORMS[form](f"{before}{secret} and more")
    assert marks.forms_in(f'{{"x": "{text}"}}')
    assert not marks.forms_in(FORMS[form](f"{before}{marked('another')} and more"))


def test_a_secret_with_characters_of_every_kind_is_found():
    marks = Marks()
    marks.add(SECRET)
    assert all(marks.forms_in(FORMS[form](SECRET)) for form in FORMS if form != "piece")


def test_the_local_aws_lists_the_events_and_messages_it_remembers():
    with LocalAWS() as aws:
        url = aws.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="the body of a dead letter")
        event = {"Source": "any", "DetailType": "any", "Detail": '{"what": "the detail of an event"}'}
        aws.client("events").put_events(Entries=[event])
        aws.client("secretsmanager").create_secret(Name="any", SecretString="the value of a secret")
        memory = aws.memory()
    assert "body of a dead letter" in memory
    assert "detail of an event" in memory
    assert "the value of a secret" not in memory
