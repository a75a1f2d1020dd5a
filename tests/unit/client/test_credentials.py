"""The rotator can parse the text that is stored for credentials."""

import pytest

from doubles import marked
from talend_token.credentials import CredentialsPair, InvalidCredentials
from talend_token.document import Sensitive

API = "https://api.us.cloud.talend.com"


@pytest.mark.parametrize("api_url", [None, API])
def test_a_pair_is_stored_as_it_is_read(api_url):
    stored = CredentialsPair("abc", marked("secret"), api_url).to_text()
    assert CredentialsPair.from_text(stored) == CredentialsPair("abc", marked("secret"), api_url)
    assert stored.reveal().startswith("abc:" if api_url is None else "{")


def test_the_error_has_problem_and_fix():
    with pytest.raises(InvalidCredentials) as caught:
        CredentialsPair.from_text(Sensitive("abc"))
    assert caught.value.problem == "has no colon between ID and secret"
    assert str(caught.value) == f"{caught.value.problem}. {caught.value.fix}"


def test_a_pair_has_no_printable_form():
    assert repr(CredentialsPair("abc", marked("secret"))) == "CredentialsPair(api_url=None)"
