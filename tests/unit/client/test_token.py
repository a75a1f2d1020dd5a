"""A token has no printable form."""

import copy
import json
import pickle

import pytest

from talend_token import Token

TOKEN = Token("hunter2", expires_at=1795474789, version_id="v1", api_url="https://api.eu.cloud.talend.com")


def test_access_token_returns_it():
    assert TOKEN.access_token == "hunter2"


@pytest.mark.parametrize("form", [repr, str, "{}".format, "{!r}".format, lambda token: f"{[token]}", ascii])
def test_no_way_of_printing_shows_it(form):
    assert "hunter2" not in form(TOKEN)
    assert "version_id='v1'" in form(TOKEN)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars])
def test_no_way_of_storing_holds_it(way):
    with pytest.raises(TypeError):
        way(TOKEN)


def test_the_error_for_pickling_names_the_fix():
    with pytest.raises(TypeError, match=r"the pickle would show it\. Let each process read its own\."):
        pickle.dumps(TOKEN)


@pytest.mark.parametrize("name", ["access_token", "expires_at", "version_id", "api_url", "anything"])
def test_it_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(TOKEN, name, "x")
