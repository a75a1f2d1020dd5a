"""Claims are read where there are some, and a token without them is no error."""

import base64

import pytest

from doubles import jwt
from rotator.domain.claims import claims_of, finite_number, numeric_date
from talend_token.document import Sensitive


def claims(token):
    return claims_of(Sensitive(token)).reveal()


def raw(payload):
    return "header." + base64.urlsafe_b64encode(payload).decode().rstrip("=") + ".signature"


@pytest.mark.parametrize("subject", ["a", "ab", "abc", "abcd", "ünï?>"])
def test_claims_are_read_whatever_the_padding(subject):
    assert claims(jwt(sub=subject)) == {"sub": subject}


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b",
        "a.b.c.d",
        "..",
        "a.!!!.c",
        # {"a":1} would be eyJhIjoxfQ.
        "a.eyJhIjoxfQ!.c",
        raw(b"not json"),
        raw(b"[1]"),
        raw(b"\xff\xfe"),
        raw(b"[" * 100_000),
    ],
)
def test_a_token_that_is_no_jwt_has_no_claims(token):
    assert claims(token) == {}


@pytest.mark.parametrize(("value", "number"), [(1800, 1800.0), (1.5, 1.5), ("1800", None), (True, None), (None, None)])
def test_a_numeric_date_is_a_json_number(value, number):
    assert numeric_date(Sensitive({"exp": value}), "exp") == number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1800, 1800.0),
        ("1800", 1800.0),
        (" 1799.5 ", 1799.5),
        (-1, -1.0),
        (True, None),
        ("soon", None),
        ("", None),
        ("NaN", None),
        (float("inf"), None),
        (10**400, None),
        ({}, None),
    ],
)
def test_a_number_may_come_as_a_string(value, number):
    assert finite_number(value) == number
