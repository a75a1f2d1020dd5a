"""A token and a sensitive value have no printable form, and cannot be copied."""

import copy
import json
import pickle

import pytest

from talend_token import Token
from talend_token.document import Sensitive

TOKEN = Token("hunter2", expires_at=1795474789, version_id="v1", api_url="https://api.eu.cloud.talend.com")
VALUE = Sensitive("hunter2")
HIDDEN = pytest.mark.parametrize("hidden", [TOKEN, VALUE], ids=["token", "value"])


def test_the_value_is_returned_to_code_that_asks_for_it():
    assert TOKEN.access_token == VALUE.reveal() == "hunter2"


@HIDDEN
@pytest.mark.parametrize("form", [repr, str, "{}".format, "{!r}".format, lambda hidden: f"{[hidden]}", ascii])
def test_no_way_of_printing_shows_it(hidden, form):
    assert "hunter2" not in form(hidden)
    assert ("version_id='v1'" if hidden is TOKEN else "<sensitive>") in form(hidden)


@HIDDEN
@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars])
def test_no_way_of_storing_holds_it(hidden, way):
    """A reporter of errors lists the attributes of an object that has `__dict__`."""
    with pytest.raises(TypeError):
        way(hidden)


def test_the_error_for_pickling_names_the_fix():
    with pytest.raises(TypeError, match=r"the pickle would show it\. Let each process read its own\."):
        pickle.dumps(TOKEN)
    with pytest.raises(TypeError, match="sensitive"):
        pickle.dumps(VALUE)


@pytest.mark.parametrize("name", ["access_token", "expires_at", "version_id", "api_url", "anything"])
def test_a_token_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(TOKEN, name, "x")
