"""A pickle or a copy of a client has its configuration, but no token, lock or connection."""

import asyncio
import copy
import pickle
import time

import boto3
import pytest
import requests

from talend_token import TokenClient
from talend_token.aio import AsyncTokenClient
from talend_token.httpx import TalendAuth as HttpxAuth
from talend_token.requests import TalendAuth
from talend_token.secrets_manager import SecretsManagerSource


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 (its own)


@pytest.fixture(params=[pickled, copy.copy, copy.deepcopy])
def copied(request):
    return request.param


@pytest.fixture
def used(monkeypatch):
    """A client that holds a token from the environment."""
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "hunter2")
    monkeypatch.setenv("TALEND_API_URL", "https://api.us.cloud.talend.com")
    client = TokenClient(renewal_timeout_seconds=7)
    client.get_token()
    return client


def test_a_copy_of_a_used_client_has_its_configuration_alone(used, copied):
    other = copied(used)
    assert used.__getstate__().keys() == {"_source", "_renewal_timeout_seconds"}
    assert (other._renewal_timeout_seconds, repr(other)) == (7, repr(used))
    assert other._held.token.access_token == ""
    assert other._state is not used._state
    assert other.get_token().access_token == "hunter2"


def test_a_copy_keeps_clocks_that_can_be_pickled(used, copied):
    client = TokenClient(used._source, clock=time.monotonic)
    assert copied(client)._time.time is time.monotonic
    assert client.__getstate__().keys() == {"_source", "_renewal_timeout_seconds", "_time"}


def test_a_pickle_has_no_token_and_reads_that_of_its_process(used, monkeypatch):
    session = requests.Session()
    session.auth = TalendAuth(used)
    for thing in (used, AsyncTokenClient(used), HttpxAuth(used), session, used._source):
        assert b"hunter2" not in pickle.dumps(thing)
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "of-the-other-process")
    assert pickled(session).auth._client.get_token().access_token == "of-the-other-process"


def test_an_async_client_is_copied_without_its_tasks(used, copied):
    tokens = AsyncTokenClient(used)
    tokens._tasks["under way"] = object()
    other = copied(tokens)
    assert other._tasks == {}
    assert asyncio.run(other.get_token()).access_token == "hunter2"


@pytest.mark.parametrize("auth", [TalendAuth, HttpxAuth])
def test_an_authentication_is_copied_with_its_hosts(used, copied, auth):
    other = copied(auth(used, also_for=["https://gateway.example.com"]))
    assert other._origins.allow("https://gateway.example.com/x", used.get_token())
    assert other._client.get_token().access_token == "hunter2"
    assert getattr(other, "_async_client", other)._client is other._client


def test_a_source_is_copied_without_its_connections(copied):
    source = SecretsManagerSource("token", "renew")
    source._clients["used"] = object()
    other = copied(source)
    assert (other._token_secret, other._renew_function, other._clients) == ("token", "renew", {})


def test_a_session_of_boto3_is_shared_by_copies_and_not_pickled():
    session = boto3.Session(aws_secret_access_key="hunter2")
    source = SecretsManagerSource("token", session=session)
    assert copy.copy(source)._session is copy.deepcopy(source)._session is session
    with pytest.raises(TypeError, match=r"may hold AWS credentials\. Create the source in the other process") as caught:
        pickle.dumps(source)
    assert "hunter2" not in str(caught.value)
