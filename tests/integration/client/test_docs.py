"""The Python examples of README.md and docs/ work."""

import json
import re
import runpy
from pathlib import Path

import boto3
import pytest
import requests
from moto import mock_aws

from integration import wire

pytestmark = pytest.mark.true_source

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "client.md"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a code block of the page and return its names."""
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
    secret = wire.secret(token="mine")
    text = secret["SecretString"]
    boto3.client("secretsmanager", region_name="eu-west-1").create_secret(Name=secret["Name"], SecretString=text)
    ran = run("powertools")
    assert ran["headers"] == {"Authorization": "Bearer mine"}
    assert ran["document"] == json.loads(text)


def test_a_program_is_tested_as_shown(run):
    run("testing")["test_a_new_token_is_used_when_the_old_one_expires"]()


# --- the examples that have no mark: everywhere ---


def unmarked():
    """Return the other Python blocks of all pages, without the consumer, which another test deploys."""
    consumer = (ROOT / "infra" / "consumer" / "app.py").read_text()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        found = re.findall(r"(<!-- executed.*-->\n)?```python\n(.*?)```", page.read_text(), re.DOTALL)
        for number, (mark, block) in enumerate(found):
            if not mark and block != consumer:
                yield pytest.param(block, id=f"{page.name} {number}")


@pytest.mark.parametrize("block", list(unmarked()))
def test_an_example_calls_the_api_with_the_token(block, monkeypatch, tmp_path):
    calls = []

    def answer(url, authorization):
        calls.append((url, authorization))
        response = requests.Response()
        response.status_code = response.status = 200
        return response

    def send(_adapter, request, **_options):
        response = answer(request.url, request.headers["Authorization"])
        response.request, response.url = request, request.url
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "mine")
    monkeypatch.setenv("TALEND_API_URL", "https://api.eu.cloud.talend.com")
    (tmp_path / "block.py").write_text(block)
    # The second way is the reader's own.
    own = {"call": lambda url, token: answer(url, f"Bearer {token}")}
    runpy.run_path(str(tmp_path / "block.py"), init_globals=own)
    ((url, authorization),) = calls
    assert url.startswith("https://api.eu.cloud.talend.com")
    assert authorization == "Bearer mine"


def test_every_module_that_the_page_names_exists():
    for module in set(re.findall(r"talend_token\.(\w+)", PAGE.read_text())):
        assert (ROOT / "functions" / "talend_token" / f"{module}.py").exists(), module
