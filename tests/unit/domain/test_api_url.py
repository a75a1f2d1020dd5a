"""Credentials are only ever sent to an https base URL, or to this machine."""

import re

import pytest

from rotator.domain.api_url import api_url_of, checked_api_url, environment_of
from rotator.domain.errors import InvalidApiUrl


@pytest.mark.parametrize("environment", ["eu", "us", "us-west", "sg", "ap2"])
def test_any_environment_that_can_be_a_host_name_is_accepted(environment):
    assert api_url_of(environment) == f"https://api.{environment}.cloud.talend.com"


@pytest.mark.parametrize("environment", ["", "EU", "eu.evil.example/", "eu west", "-eu", "eu-", "eu\n", "é"])
def test_an_environment_that_would_change_the_host_is_refused(environment):
    with pytest.raises(InvalidApiUrl, match="not a Talend Cloud environment"):
        api_url_of(environment)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://api.eu.cloud.talend.com", "https://api.eu.cloud.talend.com"),
        ("https://api.eu.cloud.talend.com//", "https://api.eu.cloud.talend.com"),
        ("https://gateway.example:8443/talend/", "https://gateway.example:8443/talend"),
        ("https://gateway.example/X/", "https://gateway.example/X"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_https_and_loopback_are_accepted_without_trailing_slash(url, checked):
    assert checked_api_url(url) == checked


@pytest.mark.parametrize(
    "url",
    [
        "http://api.eu.cloud.talend.com",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://api.eu.cloud.talend.com",
        "ftp://127.0.0.1",
        "api.eu.cloud.talend.com",
        "https://",
        "https://[::1",
        "https://host:99999",
        "https://host:0",
        "https://host name",
        "https://host\n",
        "https://hôte",
        "",
    ],
)
def test_anything_else_is_refused(url):
    with pytest.raises(InvalidApiUrl, match=re.escape(f"API URL {url!r} ")):
        checked_api_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@host",
        "https://@host",
        "https://host?key=hunter2",
        "https://host#hunter2",
        "https://host?",
        "https://host#",
    ],
)
def test_a_url_with_a_user_query_or_fragment_is_refused_without_being_shown(url):
    with pytest.raises(InvalidApiUrl, match="host 'host'") as caught:
        checked_api_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("api_url", "environment"),
    [
        ("https://api.eu.cloud.talend.com", "eu"),
        ("https://api.us-west.cloud.talend.com", "us-west"),
        ("https://proxy.example", None),
        ("http://127.0.0.1:8000", None),
        ("eu", None),
        ("https://api.a.b.cloud.talend.com", None),
    ],
)
def test_the_environment_is_told_from_the_api(api_url, environment):
    assert environment_of(api_url) == environment
