"""`credentials` checks a pair as the rotator does, stores it, and waits for its token."""

import base64
import io
import json

import pytest

from doubles import marked
from talend_token._command_line import credentials_command

SECRET = marked("a secret that is typed")
STORED = "talend-token/default/credentials"


@pytest.fixture
def talend(aws):
    """A stored pair has a token when the dry run ends, which finds nothing broken."""
    aws.on_call = lambda operation: operation == "invoke" and aws.publish()
    aws.functions["talend-token-rotate"] = lambda _: {
        "outcome": "checked",
        "checks": [{"link": "token call", "ok": True, "detail": "200"}],
    }
    return aws


@pytest.fixture
def typed(monkeypatch):
    """Answers the prompts at a terminal, and returns them."""
    prompts = []

    def type_in(*answers):
        left = list(answers)

        def getpass(prompt):
            prompts.append(prompt)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr(credentials_command, "getpass", getpass)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        return prompts

    return type_in


def stored(aws):
    return [version["text"] for version in aws.secrets[STORED]]


def test_the_pair_is_asked_for_stored_and_waited_for(talend, terminal, typed):
    prompts = typed("abc", SECRET)
    assert terminal.run("credentials") == 0
    assert prompts == ["ID, or ID:secret (not shown): ", "secret (not shown): "]
    assert stored(talend) == [f"abc:{SECRET}"]
    assert terminal.out == (
        "stored: account 'default' has new credentials\n"
        "✓ token call: 200\n"
        f"published: account 'default' has version {talend.version()}, valid for 30 min, until 22:59:49Z\n"
    )


def test_both_parts_may_be_pasted_at_once(talend, terminal, typed):
    prompts = typed(f" abc:{SECRET} ")
    assert terminal.run("credentials") == 0
    assert len(prompts) == 1
    assert stored(talend) == [f"abc:{SECRET}"]


def test_an_earlier_token_is_not_taken_for_the_new_one(talend, clock, terminal, typed):
    talend.publish(age=60)
    before = talend.version()
    # The new token shows after the first look for it.
    talend.on_call = lambda _: len(clock.slept) == 1 and talend.version() == before and talend.publish()
    typed("abc", SECRET)
    assert terminal.run("credentials") == 0
    assert talend.version() in terminal.out
    assert before not in terminal.out


@pytest.mark.parametrize("place", ["file", "standard input"])
def test_the_pair_is_read_from_a_file_with_its_byte_order_mark(talend, terminal, tmp_path, monkeypatch, place):
    content = f"\ufeffabc:{SECRET}\r\n".encode()
    file = tmp_path / "pair.txt"
    if place == "file":
        file.write_bytes(content)
    else:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    try:
        assert terminal.run("credentials", str(file) if place == "file" else "-") == 0
    finally:
        file.unlink(missing_ok=True)
    assert stored(talend) == [f"abc:{SECRET}"]


def test_json_may_name_the_api_of_the_account(talend, terminal, monkeypatch):
    talend.add_account("sales")
    pair = {"id": "abc", "secret": SECRET, "api_url": "https://api.us.cloud.talend.com"}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(pair).encode())))
    talend.on_call = lambda operation: operation == "invoke" and talend.publish("talend-token/sales/token")
    assert terminal.run("credentials", "--account", "sales", "-") == 0
    assert [json.loads(version["text"]) for version in talend.secrets["talend-token/sales/credentials"]] == [pair]


ENCODED = base64.b64encode(f"abc:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([ENCODED], "holds encoded credentials. It looks like Base64"),
        (["abc", ENCODED], "holds encoded credentials. It looks like Base64"),
        (["", SECRET], "is empty"),
        (["abc", ""], "has an empty secret"),
        ([f"abc:“{SECRET}”"], "LEFT DOUBLE QUOTATION MARK"),
    ],
)
def test_a_pair_that_the_rotator_would_refuse_is_not_stored(talend, terminal, typed, answers, problem):
    typed(*answers)
    assert terminal.run("credentials") == 2
    assert terminal.err.startswith("talend-token: account 'default': nothing is stored: the pair ")
    assert problem in terminal.err
    assert terminal.err.count("\n") == 1
    assert stored(talend) == []


def test_the_end_of_input_stores_nothing(talend, terminal, typed):
    typed("abc")
    assert terminal.run("credentials") == 2
    assert stored(talend) == []


def test_nothing_is_asked_for_if_the_stack_does_not_exist(aws, terminal, typed):
    aws.stacks.clear()
    prompts = typed("abc", SECRET)
    assert terminal.run("credentials") == 6
    assert prompts == []


@pytest.mark.usefixtures("talend")
def test_without_a_terminal_a_file_has_to_be_named(terminal, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert terminal.run("credentials") == 2
    assert "Name a file, or - for standard input" in terminal.err


@pytest.mark.usefixtures("talend")
@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file"), (f"abc:{SECRET}".encode("utf-16"), "is not UTF-8 text")],
)
def test_a_file_that_cannot_be_read_is_named(terminal, tmp_path, content, problem):
    file = tmp_path / "pair.txt"
    if content:
        file.write_bytes(content)
    assert terminal.run("credentials", str(file)) == 2
    file.unlink(missing_ok=True)
    assert f"file {str(file)!r} {problem}" in terminal.err


def test_a_broken_link_is_shown_instead_of_waiting(talend, clock, terminal, typed):
    talend.functions["talend-token-rotate"] = lambda _: {
        "outcome": "checked",
        "checks": [{"link": "token call", "ok": False, "detail": "answered 401. Store another pair."}],
    }
    typed("abc", SECRET)
    assert terminal.run("credentials") == 1
    assert terminal.out.endswith("✗ token call: answered 401\n    Store another pair.\n")
    assert clock.slept == []


def test_a_role_that_may_not_store_is_denied(talend, terminal, typed):
    talend.faults["put_secret_value"] = "AccessDeniedException"
    typed("abc", SECRET)
    assert terminal.run("credentials") == 5
    assert "credentials secret 'talend-token/default/credentials': AccessDeniedException" in terminal.err
