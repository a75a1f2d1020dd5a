"""An error gives the problem, the number of attempts if there was more than one, and the fix."""

import pytest

from rotator.domain.errors import CredentialsRefused, InvalidTokenResponse, TokenUnavailable


@pytest.mark.parametrize(("attempts", "tries"), [(1, ""), (2, " after 2 attempts")])
@pytest.mark.parametrize("kind", [CredentialsRefused, TokenUnavailable, InvalidTokenResponse])
def test_a_token_endpoint_error_names_the_credentials_secret(kind, attempts, tries):
    error = kind("https://api.example/token", "a/credentials", "answered 404", "Fix it.", status=404, attempts=attempts)
    assert str(error) == (
        f"token endpoint https://api.example/token answered 404{tries} for the credentials in secret 'a/credentials'. "
        "Fix it."
    )
    assert (error.url, error.secret_id) == ("https://api.example/token", "a/credentials")
    assert (error.status, error.attempts) == (404, attempts)
