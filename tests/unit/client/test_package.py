"""The package works for the programs that depend on it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import talend_token

pytestmark = pytest.mark.true_source

ROOT = Path(__file__).parents[3]
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
# This one and pyenv's. `make client` runs the other tests on any.
PYTHONS = [sys.executable, *map(str, sorted(PYENV.glob("versions/3.1[0-4].*/bin/python3")))]

# Runs on a bare interpreter without boto3 or any other package.
USE = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import talend_token
imported = set(sys.modules) - before
import asyncio, json
from talend_token import RenewalFailed, Token, TokenClient
from talend_token.aio import AsyncTokenClient
from talend_token._sources import Published, Renewal
import talend_token.document, talend_token.secrets_manager

class Source:
    version = 1
    def read(self):
        token = Token("t", expires_at=2000, version_id=str(self.version), api_url="https://api.eu.cloud.talend.com")
        return Published(token, 200, 201.0)
    def renew(self, rejected_version_id):
        self.version += 1
        return Renewal("rotated")

client = TokenClient(Source(), clock=lambda: 0.0, monotonic=lambda: 0.0, sleep=lambda _: None)
token = client.get_token()
renewed = [client.renew(token), asyncio.run(AsyncTokenClient(client).renew(token))]
print(json.dumps([sorted(imported), [token.version_id for token in renewed]]))
"""
# Each of these would take longer to import than the package itself.
HEAVY = {
    *("asyncio", "boto3", "botocore", "dataclasses", "email", "hashlib", "httpx", "inspect", "json"),
    *("logging", "requests", "typing", "urllib"),
}


@pytest.mark.parametrize("python", PYTHONS)
def test_it_works_on_each_python_that_is_at_hand(python):
    command = [python, "-I", "-S", "-W", "error", "-c", USE, ROOT / "functions"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    imported, renewed = json.loads(finished.stdout)
    assert HEAVY.isdisjoint(imported)
    assert renewed == ["2", "2"]


def test_the_public_names_are_the_client_the_token_and_the_errors():
    errors = [name for name, value in vars(talend_token.errors).items() if isinstance(value, type)]
    assert talend_token.__all__ == sorted(["Token", "TokenClient", *errors])
    for name in errors:
        assert issubclass(getattr(talend_token, name), talend_token.TalendTokenError)
