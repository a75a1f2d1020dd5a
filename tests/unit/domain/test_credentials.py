"""Both documented forms of a credentials secret are read; everything else is refused with the fix, and never shown."""

import base64
import json
import re
import traceback

import pytest

from rotator.domain.credentials import parse_credentials
from rotator.domain.errors import CredentialsError
from talend_token.document import Sensitive

SECRET_ID = "talend/default/credentials"


def parse(text):
    return parse_credentials(SECRET_ID, Sensitive(text))


@pytest.mark.parametrize(
    ("text", "client_id", "client_secret"),
    [
        ("abc:s3cret", "abc", "s3cret"),
        ("  abc:s3cret \r\n", "abc", "s3cret"),
        ("\ufeffabc:s3cret", "abc", "s3cret"),
        ("abc : s3cret", "abc", "s3cret"),
        ("abc:\ufeffs3cret", "abc", "s3cret"),
        ("a bc:s3 cret", "a bc", "s3 cret"),
        ("abc:\ud7ff\ue000", "abc", "\ud7ff\ue000"),
        ("abc:with:colons:", "abc", "with:colons:"),
        ("ünï:pässwörd", "ünï", "pässwörd"),
        ('{"id": "abc", "secret": "s3cret"}', "abc", "s3cret"),
        ('\n{"id": " abc ", "secret": "s3:cret", "note": 1}\n', "abc", "s3:cret"),
    ],
)
def test_the_pair_is_read_from_either_form(text, client_id, client_secret):
    credentials = parse(text)
    assert (credentials.client_id, credentials.client_secret) == (client_id, client_secret)
    assert credentials.api_url is None


@pytest.mark.parametrize(
    ("members", "api_url"),
    [
        ({"environment": "us"}, "https://api.us.cloud.talend.com"),
        ({"api_url": "https://proxy.example/"}, "https://proxy.example"),
        ({"environment": "us", "api_url": "https://proxy.example"}, "https://proxy.example"),
        ({"environment": "", "api_url": ""}, None),
    ],
)
def test_json_may_name_the_api(members, api_url):
    assert parse(json.dumps({"id": "abc", "secret": "s3cret"} | members)).api_url == api_url


MALFORMED = pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" \n\ufeff", "is empty"),
        ("hunter2", "no colon"),
        (base64.b64encode(b"abc:hunter2").decode(), "Base64"),
        (":hunter2", "empty ID"),
        ("hunter2:", "empty secret"),
        (" : ", "empty ID"),
        ('"abc:hunter2"', "quote"),
        ("'abc:hunter2'", "quote"),
        ('["abc", "hunter2"]', "bracket"),
        ("abc:hunter2\nhunter2", "line break"),
        ("a\tbc:hunter2", "line break"),
        ("abc:hunter2\x7fhunter2", "control character"),
        ("abc:hunter2\ud800", "not UTF-8"),
        ("{hunter2", "not a JSON object"),
        ('{"a":' * 100_000, "not a JSON object"),
        ('{"secret": "hunter2"}', "'id'"),
        ('{"id": 7, "secret": "hunter2"}', "'id'"),
        ('{"id": "hunter2"}', "'secret'"),
        ('{"id": "abc", "secret": null}', "'secret'"),
        ('{"id": "abc", "secret": " "}', "empty secret"),
        ('{"id": "abc", "secret": "hunter2\\udfff"}', "not UTF-8"),
        ('{"id": "a:bc", "secret": "hunter2"}', "colon in its ID"),
        ('{"id": "abc", "secret": "x", "environment": 7}', "'environment'"),
        ('{"id": "abc", "secret": "x", "environment": "HUNTER2"}', "'environment'"),
        ('{"id": "abc", "secret": "x", "api_url": ["hunter2"]}', "'api_url'"),
        ('{"id": "abc", "secret": "x", "api_url": "http://hunter2"}', "'api_url'"),
    ],
)


@MALFORMED
def test_a_malformed_secret_is_refused_by_name_with_the_fix(text, problem):
    with pytest.raises(CredentialsError, match=problem) as caught:
        parse(text)
    assert caught.value.secret_id == SECRET_ID
    assert re.fullmatch(rf"credentials secret '{SECRET_ID}' .+\. (Store|Make|Give) .+\.", str(caught.value))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["hunter2", "aHVudGVyMg==", "YWJj,OmZlZA=="], ids=["text", "no pair", "not only Base64"]
)
def test_what_does_not_look_like_an_encoded_pair_is_not_said_to(text):
    with pytest.raises(CredentialsError, match="no colon") as caught:
        parse(text)
    assert "Base64" not in str(caught.value)


@MALFORMED
def test_a_malformed_secret_is_never_shown(text, problem):
    with pytest.raises(CredentialsError, match=problem) as caught:
        parse(text)
    everything = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    # The crash reporter's view: of this test's own frame the value is known, so only the frames below it count.
    below = everything[everything.index("in parse_credentials") :]
    assert "hunter2" not in below.lower().replace("'api_url'", "")


def test_the_printable_form_of_credentials_shows_neither_part():
    assert not {"abc", "hunter2"} & set(repr(parse("abc:hunter2")).replace("'", " ").split())
    assert "hunter2" not in repr(parse("abc:hunter2"))
