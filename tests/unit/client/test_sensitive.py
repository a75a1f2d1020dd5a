"""A sensitive value has no printable form."""

import copy
import pickle

import pytest

from talend_token.document import Sensitive


@pytest.mark.parametrize("form", [repr, str, "{}".format, "{!r}".format, lambda value: f"{[value]}"])
def test_no_way_of_printing_shows_the_value(form):
    assert "hunter2" not in form(Sensitive("hunter2"))


def test_the_repr_shows_that_a_value_is_hidden():
    assert repr(Sensitive("hunter2")) == "<sensitive>"


def test_the_value_is_had_by_asking_for_it():
    assert Sensitive("hunter2").reveal() == "hunter2"


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_not_pickled_or_copied(duplicate):
    with pytest.raises(TypeError, match="sensitive"):
        duplicate(Sensitive("hunter2"))


def test_it_has_no_attributes_for_a_reporter_to_list():
    assert not hasattr(Sensitive("hunter2"), "__dict__")
