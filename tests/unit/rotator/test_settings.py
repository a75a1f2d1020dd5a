"""The environment variables are read whole: everything wrong with them is in one message."""

import pytest

from rotator.errors import InvalidSettings
from rotator.settings import Settings

COMPLETE = {
    "SECRET_PREFIX": "talend",
    "TALEND_ENVIRONMENT": "eu",
    "TALEND_API_URL": "",
    "MINIMUM_TOKEN_LIFE_SECONDS": "60",
    "CREDENTIALS_SECRET": "",
    "SCHEDULE_EXPRESSION": "rate(25 minutes)",
    "LOCK_TABLE": "locks",
}


def test_the_api_follows_from_the_environment():
    assert Settings.from_environment(COMPLETE).api_url == "https://api.eu.cloud.talend.com"


def test_a_given_api_url_wins_over_the_environment():
    settings = Settings.from_environment(COMPLETE | {"TALEND_API_URL": "https://proxy.example/"})
    assert settings.api_url == "https://proxy.example"


def test_secrets_are_named_by_prefix_and_account():
    settings = Settings.from_environment(COMPLETE | {"SECRET_PREFIX": "team/talend"})
    assert settings.credentials_secret("default") == "team/talend/default/credentials"
    assert settings.token_secret("finance") == "team/talend/finance/token"
    assert settings.minimum_life_seconds == 60
    assert (settings.schedule_expression, settings.lock_table) == ("rate(25 minutes)", "locks")


def test_an_existing_credentials_secret_serves_the_default_account_alone():
    settings = Settings.from_environment(COMPLETE | {"CREDENTIALS_SECRET": "arn:existing"})
    assert settings.credentials_secret("default") == "arn:existing"
    assert settings.credentials_secret("finance") == "talend/finance/credentials"


def test_all_that_is_missing_is_reported_together():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment({})
    for name in COMPLETE.keys() - {"TALEND_API_URL", "CREDENTIALS_SECRET"}:
        assert f"{name} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_PREFIX", "/talend"),
        ("SECRET_PREFIX", "talend/"),
        ("SECRET_PREFIX", "tal*"),
        ("TALEND_ENVIRONMENT", "EU"),
        ("TALEND_API_URL", "http://api.example"),
        ("MINIMUM_TOKEN_LIFE_SECONDS", "-1"),
        ("MINIMUM_TOKEN_LIFE_SECONDS", "1.5"),
    ],
)
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment(COMPLETE | {name: value})
    assert value in str(caught.value)


def test_all_that_is_wrong_is_reported_together():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment(
            COMPLETE | {"SECRET_PREFIX": "/", "TALEND_ENVIRONMENT": "EU", "MINIMUM_TOKEN_LIFE_SECONDS": "x"}
        )
    assert str(caught.value).count(";") == 2
