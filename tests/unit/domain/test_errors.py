"""What an error says: what happened, after how many attempts if it was not the first, and what to do."""

import pytest

from rotator.domain.errors import InvalidTokenResponse, TokenRefused, TokenUnavailable

ENDPOINT_ERRORS = (TokenRefused, TokenUnavailable, InvalidTokenResponse)


@pytest.mark.parametrize("kind", ENDPOINT_ERRORS)
def test_the_first_attempt_is_not_counted_out(kind):
    error = kind("https://api.example/token", "answered 404", "Mend it.")
    assert str(error) == "token endpoint https://api.example/token answered 404. Mend it."
    assert (error.status, error.attempts) == (None, 1)


@pytest.mark.parametrize("kind", ENDPOINT_ERRORS)
def test_further_attempts_and_the_account_are_told(kind):
    error = kind("https://api.example/token", "answered 404", "Mend it.", status=404, attempts=2)
    error.account = "finance"
    assert str(error) == (
        "account 'finance': token endpoint https://api.example/token answered 404 after 2 attempts. Mend it."
    )
    assert (error.url, error.status, error.attempts) == ("https://api.example/token", 404, 2)
