"""A token is checked before it may be published, and gets its validity from the answer or its claims."""

import base64
import json
import math

import pytest

from doubles.token_endpoint import jwt
from rotator.domain.credentials import Credentials
from rotator.domain.errors import InvalidTokenResponse
from rotator.domain.token_response import TokenResponse, read_token_response
from talend_token.document import TokenDocument

API_URL = "https://api.eu.cloud.talend.com"
NOW = 1_795_472_989.75
ABSENT = object()
CREDENTIALS = Credentials("talend-token/default/credentials", "version-1", "abc", "s3cret", API_URL)


def read(body):
    """Return the token document for an answer."""
    return read_token_response(TokenResponse(CREDENTIALS, NOW, body))[0]


def answer(**members):
    body = {"access_token": "opaque", "token_type": "Bearer", "expires_in": "1800"} | members
    return json.dumps({name: value for name, value in body.items() if value is not ABSENT}).encode()


def life_of(**members):
    return read(answer(**members)).life_seconds


def test_a_valid_answer_becomes_a_document_timed_from_the_request():
    assert read(answer()) == TokenDocument("opaque", "Bearer", 1_795_472_989, 1_795_474_789, API_URL)


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_bearer_is_accepted_in_any_case(token_type):
    assert read(answer(token_type=token_type)).token_type == "Bearer"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        *(("token_type", value, "token_type") for value in ("mac", "", None, 1, ABSENT)),
        *(("access_token", value, "no 'access_token'") for value in ("", None, 1, ["x"], {"x": 1}, ABSENT)),
        *(
            ("access_token", value, "a header cannot hold")
            for value in ("hunter2\r\nX: y", "hunter2 x", "hunter2\0", "hünter2", "hunter2\x7f")
        ),
        *(("expires_in", value, "but more than 10 s are needed") for value in (10, 10.9, 0, -1, "0", 0.5)),
    ],
)
def test_an_unusable_member_is_named_and_not_shown(name, value, problem):
    with pytest.raises(InvalidTokenResponse, match=problem) as caught:
        read(answer(**{name: value}))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>hunter2</html>", b"[]", b"null", b"\xff\xfe{", b"[" * 100_000])
def test_a_body_that_is_not_a_json_object_is_refused(body):
    with pytest.raises(InvalidTokenResponse, match=r"not a JSON object .+\. Nothing was published\.") as caught:
        read(body)
    assert (caught.value.status, caught.value.url) == (200, f"{API_URL}/security/oauth/token")


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        ("1800", 1800),
        (1800, 1800),
        (1799.9, 1799),
        ("600", 600),
        (3600, 3600),
        (86_400, 86_400),
        (ABSENT, 1800),
        (None, 1800),
        ("soon", 1800),
        ("", 1800),
        (True, 1800),
        ({}, 1800),
        (86_401, 1800),
        (1_800_000, 1800),
        ("inf", 1800),
        (math.inf, 1800),
        ("nan", 1800),
    ],
)
def test_expires_in_may_be_a_number_a_string_absent_or_nonsense(expires_in, life):
    assert life_of(expires_in=expires_in) == life


@pytest.mark.parametrize(
    ("claims", "expires_in", "life"),
    [
        # The shorter of both counts, whatever the server's clock is.
        *(({"iat": NOW + skew, "exp": NOW + skew + 900}, "3600", 900) for skew in (0, -7200, 7200)),
        ({"iat": NOW, "exp": NOW + 1800}, "600", 600),
        ({"iat": NOW, "exp": NOW + 11}, ABSENT, 11),
        ({"iat": NOW, "exp": NOW + 86_400}, ABSENT, 86_400),
        # Without `iat`, the time of the request counts.
        ({"exp": NOW + 900}, ABSENT, 900),
    ],
)
def test_the_claims_of_a_jwt_may_shorten_its_validity(claims, expires_in, life):
    assert life_of(access_token=jwt(**claims), expires_in=expires_in) == life


@pytest.mark.parametrize("claims", [{"exp": NOW - 1}, {"iat": NOW, "exp": NOW + 1}])
def test_a_token_that_has_expired_or_is_about_to_is_refused(claims):
    with pytest.raises(InvalidTokenResponse):
        read(answer(access_token=jwt(**claims), expires_in=ABSENT))


def test_the_longest_token_that_fits_is_accepted():
    """The limit leaves room for the version id, which is not known yet."""
    room = 65_536 - 64 - len(read(answer(access_token="x")).to_json().reveal()) + 1
    assert len(read(answer(access_token="x" * room)).to_json().reveal()) == 65_536 - 64
    with pytest.raises(InvalidTokenResponse, match="too long"):
        read(answer(access_token="x" * (room + 1)))


@pytest.mark.parametrize(
    ("audience", "is_expected"),
    [
        *((audience, True) for audience in (API_URL, API_URL + "/", [API_URL, "other"], None, ABSENT)),
        *((audience, False) for audience in (f"{API_URL}X", ["other", 7], 7, {}, "")),
    ],
)
def test_another_audience_is_a_warning_not_a_refusal(audience, is_expected):
    claims = {} if audience is ABSENT else {"aud": audience}
    response = TokenResponse(CREDENTIALS, NOW, answer(access_token=jwt(**claims)))
    document, warning = read_token_response(response)
    assert document.api_url == API_URL
    assert warning is None if is_expected else API_URL in warning


def raw(payload):
    return "header." + base64.urlsafe_b64encode(payload).decode().rstrip("=") + ".signature"


@pytest.mark.parametrize("subject", ["a", "ab", "abc", "abcd", "ünï?>"])
def test_claims_are_read_with_any_padding(subject):
    assert life_of(access_token=jwt(sub=subject, exp=NOW + 900), expires_in=ABSENT) == 900


@pytest.mark.parametrize(
    "token",
    [
        # It is not a JWT.
        "opaque",
        "a.b",
        "a.b.c.d",
        "..",
        "a.!!!.c",
        # In Base64, {"exp":12} would be eyJleHAiOjEyfQ.
        "a.eyJleHAiOjEyfQ!.c",
        raw(b"not json"),
        raw(b"[1]"),
        raw(b"\xff\xfe"),
        raw(b"[" * 30_000),
        # Its claims are unusable.
        jwt(exp="soon"),
        jwt(exp=True),
        jwt(exp="NaN"),
        jwt(exp=math.inf),
        jwt(exp=math.nan),
        jwt(exp=10**400),
        jwt(exp=10**15, iat=0),
        jwt(exp=NOW + 86_401, iat=NOW),
        jwt(exp=NOW, iat=NOW),
        jwt(exp=NOW, iat=NOW * 1000),
        jwt(iat=NOW),
        jwt(),
    ],
)
def test_a_token_without_usable_claims_has_the_default_validity(token):
    assert life_of(access_token=token, expires_in=ABSENT) == 1800


def test_the_printable_form_of_an_answer_leaves_out_the_body():
    assert "opaque" not in repr(TokenResponse(CREDENTIALS, NOW, answer()))
