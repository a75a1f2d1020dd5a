"""What the client's README shows for readers without it works."""

import json
import re
import runpy
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

PACKAGE = Path(__file__).parents[3] / "functions" / "talend_token"
README = Path(__file__).parents[3] / "docs" / "client.md"
DOCUMENT = {
    "access_token": "mine",
    "token_type": "Bearer",
    "issued_at": 1795472989,
    "expires_at": 1795474789,
    "api_url": "https://api.eu.cloud.talend.com",
}


@pytest.fixture
def executed_blocks():
    return re.findall(r"<!-- executed by the tests -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)


@mock_aws
def test_powertools_reads_the_token(monkeypatch, tmp_path, executed_blocks):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    boto3.client("secretsmanager").create_secret(Name="talend-token/default/token", SecretString=json.dumps(DOCUMENT))
    (block,) = executed_blocks
    (tmp_path / "block.py").write_text(block)
    ran = runpy.run_path(str(tmp_path / "block.py"))
    assert ran["headers"] == {"Authorization": "Bearer mine"}
    assert ran["document"] == DOCUMENT


def test_every_file_and_name_that_it_speaks_of_exists():
    text = README.read_text()
    for module in set(re.findall(r"talend_token\.(\w+)", text)):
        assert (PACKAGE / f"{module}.py").exists(), module
