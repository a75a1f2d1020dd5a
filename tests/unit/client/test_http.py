"""A token is sent to its own API, and to the hosts that the user names."""

import pytest

from talend_token import HostNotAllowed, Token
from talend_token._http import AllowedOrigins

TOKEN = Token("hunter2", expires_at=0, version_id="v1", api_url="https://api.eu.cloud.talend.com")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.eu.cloud.talend.com",
        "https://api.eu.cloud.talend.com/orchestration/x?y=z#a",
        "https://API.eu.cloud.talend.com:443/",
    ],
)
def test_its_own_api_is_allowed(url):
    AllowedOrigins().check(url, TOKEN)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.eu.cloud.talend.com/",
        "https://api.eu.cloud.talend.com:8443/",
        "https://api.us.cloud.talend.com/",
        "https://api.eu.cloud.talend.com.example.com/",
        "https://example.com/https://api.eu.cloud.talend.com",
        "https://api.eu.cloud.talend.com@example.com/",
        "https://cloud.talend.com/",
    ],
)
def test_nothing_else_is(url):
    with pytest.raises(HostNotAllowed, match=r"^the token is for https://api\.eu\.\S+ and is not sent to "):
        AllowedOrigins().check(url, TOKEN)


def test_the_error_says_how_to_allow_it():
    with pytest.raises(HostNotAllowed, match=r'say TalendAuth\(also_for=\["https://api\.us\.cloud\.talend\.com:443"\]'):
        AllowedOrigins().check("https://api.us.cloud.talend.com/x", TOKEN)


@pytest.mark.parametrize("also", [["https://api.us.cloud.talend.com"], "https://api.us.cloud.talend.com/base"])
def test_the_user_may_allow_more(also):
    origins = AllowedOrigins(also)
    assert origins.allow("https://api.us.cloud.talend.com/x", TOKEN)
    assert origins.allow("https://api.eu.cloud.talend.com/x", TOKEN)
    assert not origins.allow("http://api.us.cloud.talend.com/x", TOKEN)


@pytest.mark.parametrize("also", ["api.us.cloud.talend.com", "https://", "/path"])
def test_what_is_no_url_is_refused(also):
    with pytest.raises(ValueError, match="is not a URL with a scheme and a host"):
        AllowedOrigins([also])
