"""Both formats of a credentials secret are parsed. Anything else is refused with the fix, and never shown."""

import base64
import json
import re
import textwrap
import traceback

import pytest

from rotator.domain.credentials import parse_credentials
from rotator.domain.errors import CredentialsError
from talend_token.document import Sensitive

API_URL = "https://api.eu.cloud.talend.com"
SECRET_ID = "talend-token/default/credentials"


def parse(text):
    return parse_credentials(SECRET_ID, "version-1", None if text is None else Sensitive(text), API_URL)


@pytest.mark.parametrize(
    ("text", "client_id", "client_secret"),
    [
        ("abc:s3cret", "abc", "s3cret"),
        ("  abc:s3cret \r\n", "abc", "s3cret"),
        ("\ufeffabc:s3cret", "abc", "s3cret"),
        ("abc : s3cret", "abc", "s3cret"),
        ("abc:\ufeffs3cret", "abc", "s3cret"),
        ("a bc:s3 cret", "a bc", "s3 cret"),
        ("abc:with:colons:", "abc", "with:colons:"),
        ("!abc:~s3cret", "!abc", "~s3cret"),
        ("basic:s3cret", "basic", "s3cret"),
        ("authorization1:s3cret", "authorization1", "s3cret"),
        ('{"id": "abc", "secret": "s3cret"}', "abc", "s3cret"),
        ('\n{"id": " abc ", "secret": "s3:cret", "note": 1}\n', "abc", "s3:cret"),
    ],
)
def test_the_pair_is_read_from_either_form(text, client_id, client_secret):
    credentials = parse(text)
    assert (credentials.client_id, credentials.client_secret) == (client_id, client_secret)
    assert (credentials.secret_id, credentials.version_id) == (SECRET_ID, "version-1")
    assert credentials.api_url == API_URL
    assert credentials.token_endpoint == "https://api.eu.cloud.talend.com/security/oauth/token"


@pytest.mark.parametrize(
    ("members", "api_url"),
    [
        ({"api_url": "https://proxy.example/"}, "https://proxy.example"),
        ({"api_url": ""}, API_URL),
        ({"api_url": None}, API_URL),
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
        (None, "binary"),
        (":hunter2", "empty ID"),
        ("hunter2:", "empty secret"),
        ('"abc:hunter2"', "quote"),
        ("'abc:hunter2'", "quote"),
        ('["abc", "hunter2"]', "bracket"),
        ("abc:hunter2\nhunter2", "line break"),
        ("abc:hunter2\x7fhunter2", r"U\+007F \(a control character"),
        ("abc:hunter2\ud800", r"U\+D800"),
        ("Basic abc:hunter2", "Store the plain text 'ID:secret'"),
        ("Authorization: Basic abc:hunter2", "Store the plain text 'ID:secret'"),
        ("{hunter2", "not a JSON object"),
        ('{"a":' * 100_000, "not a JSON object"),
        ('{"secret": "hunter2"}', "'id'"),
        ('{"id": 7, "secret": "hunter2"}', "'id'"),
        ('{"id": "hunter2"}', "'secret'"),
        ('{"id": "abc", "secret": null}', "'secret'"),
        ('{"id": "abc", "secret": " "}', "empty secret"),
        ('{"id": "abc", "secret": "hunter2\\udfff"}', r"U\+DFFF"),
        ('{"id": "a:bc", "secret": "hunter2"}', "colon in its ID"),
        ('{"id": "abc", "secret": "x", "api_url": {"hunter2": 1}}', "'api_url'"),
        ('{"id": "abc", "secret": "x", "api_url": 5}', "'api_url'"),
        ('{"id": "abc", "secret": "x", "api_url": "http://hunter2"}', "'api_url'"),
    ],
)


@MALFORMED
def test_a_malformed_secret_is_refused_by_name_with_the_fix(text, problem):
    with pytest.raises(CredentialsError, match=problem) as caught:
        parse(text)
    assert caught.value.secret_id == SECRET_ID
    assert re.fullmatch(rf"credentials secret '{SECRET_ID}' .+\. (Store|Copy|Use) .+\.", str(caught.value))
    assert "hunter2" not in str(caught.value)


LONG = base64.b64encode(b"0123456789abcdef0123456789abcdef:" + b"hunter2-" * 8).decode()


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "Basic ", "basic  ", "Authorization: Basic ", "authorization:Basic "),
        *('"Authorization": "Basic ', "-H 'authorization: ", "AUTHORIZATION="),
    ],
)
@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(b"abc:hunter2").decode(),
        base64.b64encode(b"abc:hunter2").decode().rstrip("="),
        LONG,
        "\n".join(textwrap.wrap(LONG, 76)),
        "\r\n".join(textwrap.wrap(LONG.rstrip("="), 64)) + "\r\n",
        base64.urlsafe_b64encode(b"ab?:>>>???").decode(),
        base64.b64encode(b"abc:hunter2\n").decode(),
        base64.b64encode("abc:hunter2".encode("utf-16")).decode(),
        base64.b64encode(b"\xef\xbb\xbfabc:hunter2").decode(),
    ],
)
def test_an_encoded_pair_is_refused_with_the_one_fix(prefix, encoded):
    with pytest.raises(CredentialsError, match="Store the plain text 'ID:secret'") as caught:
        parse(prefix + encoded + ('"' if prefix.startswith('"') else ""))
    assert encoded[:8] not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["hunter2", "aHVudGVyMg==", "YWJj,OmZlZA==", "YWJjOv_--_8=", "YWI6AWNk"],
    ids=["text", "not a pair", "not only Base64", "not UTF-8", "not printable"],
)
def test_other_text_is_not_reported_as_encoded_credentials(text):
    with pytest.raises(CredentialsError, match="no colon") as caught:
        parse(text)
    assert "Base64" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ï»¿abc:hunter2", "U+00EF (LATIN SMALL LETTER I WITH DIAERESIS) at position 1 of its ID"),
        ("abc\u200b:hunter2", "U+200B (ZERO WIDTH SPACE) at position 4 of its ID"),
        ("abc:hunter2\xa0", "U+00A0 (NO-BREAK SPACE) at position 8 of its secret"),
        ("abc:\u2060hunter2", "U+2060 (WORD JOINER) at position 1 of its secret"),
        ("\u201cabc:hunter2\u201d", "U+201C (LEFT DOUBLE QUOTATION MARK) at position 1 of its ID"),
        ("\u0430bc:hunter2", "U+0430 (CYRILLIC SMALL LETTER A) at position 1 of its ID"),
        ("abc:hunter\uff12", "U+FF12 (FULLWIDTH DIGIT TWO) at position 7 of its secret"),
        ('{"id": "abc\u00ad", "secret": "hunter2"}', "U+00AD (SOFT HYPHEN) at position 4 of its ID"),
        ("abc:hun\x00ter2", "U+0000 (a control character or line break) at position 4 of its secret"),
    ],
)
def test_an_invisible_or_foreign_character_is_named_with_its_place(text, what):
    with pytest.raises(CredentialsError, match=re.escape(f"has the character {what}. Copy the ID and the secret")):
        parse(text)


@pytest.mark.true_source
@MALFORMED
def test_a_malformed_secret_is_never_shown(text, problem):
    with pytest.raises(CredentialsError, match=problem) as caught:
        parse(text)
    everything = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    # As a crash reporter sees it. This test's own frame holds the value, so only the frames below it are searched.
    below = everything[everything.index("in parse_credentials") :]
    assert "hunter2" not in below.lower().replace("'api_url'", "")


def test_the_printable_form_of_credentials_shows_neither_part():
    shown = repr(parse("own-id:hunter2"))
    assert "own-id" not in shown
    assert "hunter2" not in shown
