"""An error gives the problem, the number of attempts if there was more than one, and the fix."""

import pytest

from rotator.domain.errors import CredentialsRefused, InvalidTokenResponse, TokenUnavailable


@pytest.mark.parametrize(("attempts", "tries"), [(1, ""), (2, " after 2 attempts")])
@pytest.mark.parametrize("kind", [CredentialsRefused, TokenUnavailable, InvalidTokenResponse])
def test_a_token_endpoint_error_names_the_credentials_secret(kind, attempts, tries):
    more = {"attempts": attempts} if attempts > 1 else {}
    error = kind("https://api.example/token", "a/credentials", "answered 404", "Fix it.", status=404, **more)
    assert str(error) == (
        f"token endpoint https://api.example/token answered 404{tries} for the credentials in secret 'a/credentials'. "
        "Fix it."
    )
    assert (error.url, error.secret_id) == ("https://api.example/token", "a/credentials")
    assert (error.status, error.attempts) == (404, attempts)


def test_an_unavailable_endpoint_may_say_when_to_ask_again():
    assert TokenUnavailable("url", "a/credentials", "answered 503", "Wait.", retry_after="7").retry_after == "7"
