"""The environment variables are parsed together, and one message names every problem."""

import pytest

from rotator.domain.errors import InvalidSettings
from rotator.domain.settings import Settings

COMPLETE = {
    "TALEND_API_URL": "https://api.eu.cloud.talend.com",
    "SECRET_PREFIX": "talend-token",
    "SCHEDULE_EXPRESSION": "rate(25 minutes)",
    "LOCK_TABLE": "locks",
    "STACK_NAME": "talend-token",
}


def test_the_variables_become_settings_that_name_the_secrets():
    path = "/users?limit=1"
    named = {"SECRET_PREFIX": "team/talend", "TALEND_API_URL": "https://proxy.example/", "PROBE_PATH": path}
    settings = Settings.from_environment(COMPLETE | named)
    assert settings == Settings(
        "team/talend", "https://proxy.example", "rate(25 minutes)", "locks", "talend-token", probe_path=path
    )
    assert settings.credentials_secret("default") == "team/talend/default/credentials"
    assert settings.token_secret("finance") == "team/talend/finance/token"
    existing = Settings.from_environment(COMPLETE | {"CREDENTIALS_SECRET": "arn:existing"})
    assert existing.credentials_secret("default") == "arn:existing"
    assert existing.credentials_secret("finance") == "talend-token/finance/credentials"


@pytest.mark.parametrize(
    ("environment", "parts"),
    [
        ({}, [f"{name} is missing" for name in sorted(COMPLETE)]),
        (COMPLETE | {"SECRET_PREFIX": "/", "TALEND_API_URL": "eu", "PROBE_PATH": "x"}, ["'/'", "'eu'", "'x'"]),
    ],
)
def test_every_problem_is_reported_at_once(environment, parts):
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment(environment)
    assert [part for part in parts if part not in str(caught.value)] == []
    assert str(caught.value).count(";") == len(parts) - 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_PREFIX", "/talend"),
        ("SECRET_PREFIX", "talend/"),
        ("SECRET_PREFIX", "tal*"),
        ("TALEND_API_URL", "http://api.example"),
        ("PROBE_PATH", "account/users"),
        ("PROBE_PATH", "@elsewhere.example/"),
        ("PROBE_PATH", "/account users"),
    ],
)
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment(COMPLETE | {name: value})
    assert value in str(caught.value)


@pytest.mark.parametrize("optional", [{}, {"CREDENTIALS_SECRET": "", "PROBE_PATH": ""}])
def test_optional_variables_may_be_missing_or_empty(optional):
    settings = Settings.from_environment(COMPLETE | optional)
    assert (settings.default_credentials_secret, settings.probe_path) == ("", "")


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"


@pytest.mark.parametrize(
    ("existing", "secret_id", "account"),
    [
        ("", "talend-token/finance/credentials", "finance"),
        ("", "talend-token/default/credentials", "default"),
        ("", "talend-token/finance/token", None),
        ("", "other/finance/credentials", None),
        ("", "finance", None),
        ("", "", None),
        ("", f"{ARN}talend-token/finance/credentials-a1b2c3", None),
        ("existing", "existing", "default"),
        ("existing", "existing-a1b2c3", None),
        ("existing", "talend-token/default/credentials", None),
        ("existing", "talend-token/finance/credentials", "finance"),
        (f"{ARN}existing", f"{ARN}existing-a1b2c3", "default"),
        (f"{ARN}existing", f"{ARN}existing-or-not-a1b2c3", None),
        (f"{ARN}existing-a1b2c3", f"{ARN}existing-a1b2c3", "default"),
        (f"{ARN}existing-a1b2c3", "talend-token/default/credentials", None),
    ],
)
def test_the_account_is_found_by_its_credentials_secret(existing, secret_id, account):
    assert Settings.from_environment(COMPLETE | {"CREDENTIALS_SECRET": existing}).account_of(secret_id) == account
