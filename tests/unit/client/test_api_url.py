"""Credentials are only sent to an https base URL, or to this machine."""

import re

import pytest

from talend_token.api_url import checked_api_url


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://api.eu.cloud.talend.com//", "https://api.eu.cloud.talend.com"),
        ("https://gateway.example:8443/X/", "https://gateway.example:8443/X"),
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
    with pytest.raises(ValueError, match=re.escape(f"API URL {url!r} ")):
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
def test_a_url_with_a_user_query_or_fragment_is_refused_and_not_shown(url):
    with pytest.raises(ValueError, match="host 'host'") as caught:
        checked_api_url(url)
    assert "hunter2" not in str(caught.value)
