"""The token document's format is a contract with every reader, and no value that holds a secret shows it."""

import copy
import json
import pickle

import pytest

from talend_token import InvalidTokenDocument, Token
from talend_token.credentials import CredentialsPair
from talend_token.document import LAST_SECOND, Sensitive, TokenDocument

TEXT = (
    '{"access_token": "a.b.c", "token_type": "Bearer", "issued_at": 1795472989, "expires_at": 1795474789, '
    '"api_url": "https://api.eu.cloud.talend.com", "version_id": "v1"}'
)


def with_member(**members):
    return Sensitive(json.dumps(json.loads(TEXT) | members))


def without_member(name):
    members = json.loads(TEXT)
    del members[name]
    return Sensitive(json.dumps(members))


def test_it_is_written_as_one_line_of_the_documented_json():
    assert TokenDocument.from_json(Sensitive(TEXT)).to_json().reveal() == TEXT


def test_readers_ignore_members_they_do_not_know():
    assert TokenDocument.from_json(with_member(scope="x")) == TokenDocument.from_json(Sensitive(TEXT))


@pytest.mark.parametrize("name", ["access_token", "token_type", "issued_at", "expires_at", "api_url"])
def test_every_member_is_needed(name):
    with pytest.raises(InvalidTokenDocument, match=name):
        TokenDocument.from_json(without_member(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_token", ""),
        ("access_token", 1),
        ("token_type", None),
        ("issued_at", "1795472989"),
        ("expires_at", True),
        ("expires_at", 10**400),
        ("issued_at", -1),
        ("access_token", "ünï"),
        ("access_token", "a b"),
        ("api_url", "https://"),
        ("api_url", "file:///etc"),
        ("version_id", 1),
        ("version_id", None),
        ("expires_at", LAST_SECOND + 1),
        # The token would expire when it is issued.
        ("expires_at", 1795472989),
    ],
)
def test_a_wrong_member_is_named(name, value):
    with pytest.raises(InvalidTokenDocument, match=name):
        TokenDocument.from_json(with_member(**{name: value}))


@pytest.mark.parametrize(
    ("issued_at", "expires_at"), [(0, 1), (LAST_SECOND - 1, LAST_SECOND), (1795472989, 1795472990)]
)
def test_a_time_may_be_any_from_the_first_second_to_the_last(issued_at, expires_at):
    document = TokenDocument.from_json(with_member(issued_at=issued_at, expires_at=expires_at))
    assert (document.issued_at, document.expires_at) == (issued_at, expires_at)


def test_a_document_need_not_name_the_version_that_holds_it():
    assert TokenDocument.from_json(without_member("version_id")).version_id == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null", "[" * 100_000, "hunter2"])
def test_anything_but_a_json_object_is_refused_without_being_shown(text):
    with pytest.raises(InvalidTokenDocument, match="not a JSON object") as caught:
        TokenDocument.from_json(Sensitive(text))
    assert caught.value.__context__ is None
    assert "hunter2" not in str(caught.value)


def test_it_has_the_total_and_the_remaining_validity():
    document = TokenDocument.from_json(Sensitive(TEXT))
    assert document.life_seconds == 1800
    assert document.remaining_seconds(1795474788.5) == 0.5
    assert document.remaining_seconds(1795474790) == -1


# --- values that hold a secret ---

TOKEN = Token("hunter2", expires_at=1795474789, version_id="v1", api_url="https://api.eu.cloud.talend.com")
VALUE = Sensitive("hunter2")
DOCUMENT = TokenDocument.from_json(with_member(access_token="hunter2"))
PAIR = CredentialsPair("hunter2", "hunter2")


@pytest.mark.parametrize("form", [repr, str, "{}".format, "{!r}".format, lambda hidden: f"{[hidden]}", ascii])
@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        (TOKEN, "version_id='v1', expires_at=1795474789, api_url='https://api.eu.cloud.talend.com'"),
        (VALUE, "<sensitive>"),
        (DOCUMENT, "version_id='v1'"),
        (PAIR, "CredentialsPair(api_url=None)"),
    ],
)
def test_no_way_of_printing_shows_it(hidden, shown, form):
    assert "hunter2" not in form(hidden)
    assert shown in form(hidden)
    assert repr(VALUE) == "<sensitive>"


@pytest.mark.parametrize("hidden", [TOKEN, VALUE])
@pytest.mark.parametrize("way", [json.dumps, vars])
def test_no_list_of_its_attributes_shows_it(hidden, way):
    """A reporter of errors lists the attributes of an object that has `__dict__`."""
    with pytest.raises(TypeError):
        way(hidden)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (TOKEN, r"the pickle would show it\. Let each process read its own\."),
        (VALUE, "a sensitive value cannot be pickled"),
        (DOCUMENT, "a token document cannot be pickled"),
    ],
)
def test_it_is_not_pickled_or_copied(hidden, message, way):
    with pytest.raises(TypeError, match=message):
        way(hidden)


@pytest.mark.parametrize("name", ["access_token", "expires_at", "version_id", "api_url", "anything"])
def test_a_token_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(TOKEN, name, "x")
