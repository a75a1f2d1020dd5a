"""What the client's page shows works."""

import json
import re
import runpy
import types
from pathlib import Path

import boto3
import pytest
import time_machine
from botocore.stub import Stubber
from moto import mock_aws

from talend_token import TokenClient, TokenUnavailable
from talend_token.secrets_manager import SecretsManagerSource

PACKAGE = Path(__file__).parents[3] / "functions" / "talend_token"
PAGE = Path(__file__).parents[3] / "docs" / "client.md"
NAME = "talend-token/default/token"
DOCUMENT = {
    "access_token": "mine",
    "token_type": "Bearer",
    "issued_at": 1795472989,
    "expires_at": 1795474789,
    "api_url": "https://api.eu.cloud.talend.com",
}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a block of the page; returns its names."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def run(name):
        (block,) = re.findall(
            f"<!-- executed by the tests: {name} -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL
        )
        (tmp_path / "block.py").write_text(block)
        return runpy.run_path(str(tmp_path / "block.py"))

    return run


@mock_aws
def test_powertools_reads_the_token(run):
    boto3.client("secretsmanager", region_name="eu-west-1").create_secret(Name=NAME, SecretString=json.dumps(DOCUMENT))
    ran = run("powertools")
    assert ran["headers"] == {"Authorization": "Bearer mine"}
    assert ran["document"] == DOCUMENT


def test_a_program_is_tested_as_shown(run):
    ran = run("testing")
    ran["test_a_new_token_is_used_when_the_old_one_expires"]()


@mock_aws
def test_the_same_holds_for_time_machine(run):
    ran = run("testing")
    with time_machine.travel("2026-12-01 12:00+00:00", tick=False) as clock:
        boto3.client("secretsmanager").create_secret(Name=NAME)
        ran["publish"]("first")
        tokens = TokenClient(SecretsManagerSource(NAME))
        assert tokens.get_token().access_token == "first"
        clock.shift(40 * 60)
        with pytest.raises(TokenUnavailable, match="expired at 2026-12-01T12:30:00Z"):
            tokens.get_token()


@pytest.fixture
def stubbed(monkeypatch):
    """A source over a client whose answers are a stub's."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    session = types.SimpleNamespace(client=lambda *_, **__: client)
    with Stubber(client) as stubber:
        yield stubber, SecretsManagerSource(NAME, session=session)


def test_a_stub_needs_the_text_and_its_version(stubbed):
    stubber, source = stubbed
    stubber.add_response("get_secret_value", {"SecretString": json.dumps(DOCUMENT), "VersionId": "1" * 32})
    published = source.read()
    assert (published.token.access_token, published.token.version_id) == ("mine", "1" * 32)
    assert published.answered_at is None
    assert str(source) == f"token secret '{NAME}'"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({}, "an unexpected answer. Another server may answer for AWS: .* the test's stub"),
        ({"SecretString": json.dumps(DOCUMENT)}, "an unexpected answer. Another server may answer for AWS"),
        ({"VersionId": "1" * 32}, "it holds no token document: not a JSON object. Force a rotation"),
    ],
)
def test_a_stub_that_leaves_something_out_is_reported(stubbed, answer, problem):
    stubber, source = stubbed
    stubber.add_response("get_secret_value", answer)
    with pytest.raises(TokenUnavailable, match=rf"^token secret '{NAME}' cannot be read: {problem}"):
        source.read()


def test_a_stubs_error_is_reported_by_its_code(stubbed):
    stubber, source = stubbed
    stubber.add_client_error("get_secret_value", "AccessDeniedException")
    with pytest.raises(TokenUnavailable, match=r"AccessDeniedException\. Attach the managed policy"):
        source.read()


def test_every_module_that_the_page_names_exists():
    for module in set(re.findall(r"talend_token\.(\w+)", PAGE.read_text())):
        assert (PACKAGE / f"{module}.py").exists(), module
