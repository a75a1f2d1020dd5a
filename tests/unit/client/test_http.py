"""A token is only sent to its API and the hosts that the user names, with a body that can be sent twice."""

import io
from types import SimpleNamespace

import pytest

from talend_token import BodyNotRepeatable, HostNotAllowed, Token
from talend_token._http import AllowedOrigins, start_of

TOKEN = Token("hunter2", expires_at=0, version_id="v1", api_url="https://api.eu.cloud.talend.com")


US = "https://api.us.cloud.talend.com"


@pytest.mark.parametrize(
    ("also", "url"),
    [
        ([], "https://api.eu.cloud.talend.com"),
        ([], "https://api.eu.cloud.talend.com/orchestration/x?y=z#a"),
        ([], "https://API.eu.cloud.talend.com:443/"),
        ([US], "https://api.eu.cloud.talend.com/x"),
        ([US], f"{US}/x"),
        (f"{US}/base", f"{US}/x"),
    ],
)
def test_its_own_api_and_those_of_the_user_are_allowed(also, url):
    AllowedOrigins(also).check(url, TOKEN)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://api.eu.cloud.talend.com/", "http://api.eu.cloud.talend.com:80"),
        ("http://api.us.cloud.talend.com/", "http://api.us.cloud.talend.com:80"),
        ("https://api.eu.cloud.talend.com:8443/", "https://api.eu.cloud.talend.com:8443"),
        ("https://api.eu.cloud.talend.com.example.com/", "https://api.eu.cloud.talend.com.example.com:443"),
        ("https://example.com/https://api.eu.cloud.talend.com", "https://example.com:443"),
        ("https://api.eu.cloud.talend.com@example.com/", "https://example.com:443"),
        ("https://cloud.talend.com/", "https://cloud.talend.com:443"),
    ],
)
def test_any_other_url_is_refused_with_how_to_allow_it(url, host):
    with pytest.raises(HostNotAllowed) as caught:
        AllowedOrigins([US]).check(url, TOKEN)
    assert str(caught.value) == (
        f"the token is for https://api.eu.cloud.talend.com and is not sent to {host}. If that host may receive it, use "
        f'TalendAuth(also_for=["{host}"]).'
    )


@pytest.mark.parametrize("also", ["api.us.cloud.talend.com", "https://", "/path"])
def test_a_text_that_is_not_a_url_is_refused(also):
    with pytest.raises(ValueError, match="is not a URL with a scheme and a host"):
        AllowedOrigins([also])


@pytest.mark.parametrize("url", ["", "/path", "mailto:me@example.com", "https://"])
def test_a_url_without_a_host_is_not_allowed(url):
    assert not AllowedOrigins().allow(url, TOKEN)


class File(io.BytesIO):
    """A file class of the user's own."""

    def __init__(self, **members):
        super().__init__(b"x")
        vars(self).update(members)


def _raises(*_):
    raise RuntimeError


@pytest.mark.parametrize(
    "file",
    [
        File(tell=_raises),
        File(seek=_raises),
        File(seekable=_raises),
        File(seekable=lambda: False),
        File(seek=None),
        File(tell=lambda: None, seek=lambda _: None),
        # It must be awaited.
        File(__aiter__=iter),
        # It has no position, such as an upload that a framework forwards.
        SimpleNamespace(read=bytes),
    ],
)
def test_a_file_that_cannot_be_set_back_is_refused(file):
    with pytest.raises(BodyNotRepeatable, match="the body of this PUT request cannot be sent a second time"):
        start_of("PUT", file)
