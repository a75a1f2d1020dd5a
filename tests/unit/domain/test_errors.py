"""An error gives the problem, the number of attempts if there was more than one, and the fix."""

import pytest

from rotator.domain.errors import CredentialsRefused, InvalidTokenResponse, TokenUnavailable

ENDPOINT_ERRORS = (CredentialsRefused, TokenUnavailable, InvalidTokenResponse)


@pytest.mark.parametrize("kind", ENDPOINT_ERRORS)
def test_a_token_endpoint_error_names_the_credentials_secret(kind):
    error = kind("https://api.example/token", "talend-token/default/credentials", "answered 404", "Fix it.")
    assert str(error) == (
        "token endpoint https://api.example/token answered 404 for the credentials in secret "
        "'talend-token/default/credentials'. Fix it."
    )
    assert (error.status, error.attempts) == (None, 1)


@pytest.mark.parametrize("kind", ENDPOINT_ERRORS)
def test_further_attempts_are_counted(kind):
    error = kind("https://api.example/token", "a/credentials", "answered 404", "Fix it.", status=404, attempts=2)
    assert "answered 404 after 2 attempts for the credentials in secret 'a/credentials'" in str(error)
    assert (error.url, error.secret_id, error.status, error.attempts) == (
        "https://api.example/token",
        "a/credentials",
        404,
        2,
    )
