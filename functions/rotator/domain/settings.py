"""The function's environment variables, read once and whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rotator.domain.api_url import api_url_of, checked_api_url
from rotator.domain.errors import InvalidApiUrl, InvalidSettings

DEFAULT_ACCOUNT = "default"
_REQUIRED = ("SECRET_PREFIX", "TALEND_ENVIRONMENT", "MINIMUM_TOKEN_LIFE_SECONDS", "SCHEDULE_EXPRESSION", "LOCK_TABLE")
_PREFIX = re.compile(r"[A-Za-z0-9_+=.@-]+(/[A-Za-z0-9_+=.@-]+)*")
# Visible ASCII. It follows the API URL, so that a path that begins with "/" cannot lead to another host.
_PROBE_PATH = re.compile(r"/[!-~]*")
# What Secrets Manager appends to a secret's name in its ARN.
_ARN_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


@dataclass(frozen=True)
class Settings:
    """What the stack's parameters say."""

    secret_prefix: str
    api_url: str
    """The API of every account whose credentials do not name another."""
    minimum_life_seconds: int
    """A token that is granted less life than this is not published."""
    schedule_expression: str
    """How often the stack's schedule rotates, as EventBridge Scheduler reads it."""
    lock_table: str
    """Name of the DynamoDB table with the locks and the circuit breakers."""
    default_credentials_secret: str
    """Name or ARN of an existing secret for the default account; empty: `<prefix>/default/credentials`."""
    probe_path: str = ""
    """Path under the API URL that a new token is tried on before it is published; empty: none is tried."""

    def credentials_secret(self, account: str) -> str:
        """Name or ARN of the secret that holds the account's `ID:secret`."""
        if account == DEFAULT_ACCOUNT and self.default_credentials_secret:
            return self.default_credentials_secret
        return f"{self.secret_prefix}/{account}/credentials"

    def token_secret(self, account: str) -> str:
        """Name of the secret that holds the account's token document."""
        return f"{self.secret_prefix}/{account}/token"

    def account_of(self, secret_id: str) -> str | None:
        """The account whose credentials secret has this name, or complete ARN; None if it is no account's."""
        existing = self.default_credentials_secret
        if existing.startswith("arn:") and _ARN_SUFFIX.fullmatch(secret_id.removeprefix(existing)):
            return DEFAULT_ACCOUNT
        if existing and secret_id == existing:
            return DEFAULT_ACCOUNT
        account = secret_id.removeprefix(f"{self.secret_prefix}/").removesuffix("/credentials")
        return account if self.credentials_secret(account) == secret_id else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read `SECRET_PREFIX`, `TALEND_ENVIRONMENT`, `MINIMUM_TOKEN_LIFE_SECONDS`, `SCHEDULE_EXPRESSION`,
        `LOCK_TABLE`, and three that may be empty: `TALEND_API_URL`, which wins over `TALEND_ENVIRONMENT`,
        `CREDENTIALS_SECRET` and `PROBE_PATH`.

        Raises:
            InvalidSettings: names every variable that is missing or wrong.
        """
        problems = [f"{name} is missing" for name in _REQUIRED if not environment.get(name)]
        prefix = environment.get("SECRET_PREFIX", "")
        if prefix and not _PREFIX.fullmatch(prefix):
            problems.append(f"SECRET_PREFIX {prefix!r} cannot be part of a secret's name")
        life = environment.get("MINIMUM_TOKEN_LIFE_SECONDS", "")
        if life and not re.fullmatch("[0-9]{1,5}", life):
            problems.append(f"MINIMUM_TOKEN_LIFE_SECONDS {life!r} is not a whole number of seconds")
        probe_path = environment.get("PROBE_PATH", "")
        if probe_path and not _PROBE_PATH.fullmatch(probe_path):
            problems.append(f"PROBE_PATH {probe_path!r} must start with '/' and have no spaces")
        api_url = ""
        try:
            if environment.get("TALEND_API_URL"):
                api_url = checked_api_url(environment["TALEND_API_URL"])
            elif environment.get("TALEND_ENVIRONMENT"):
                api_url = api_url_of(environment["TALEND_ENVIRONMENT"])
        except InvalidApiUrl as error:
            problems.append(str(error))
        if problems:
            raise InvalidSettings(
                f"the function's environment is not usable: {'; '.join(problems)}. Deploy the stack again with "
                "parameters that mend this."
            )
        return cls(
            secret_prefix=prefix,
            api_url=api_url,
            minimum_life_seconds=int(life),
            schedule_expression=environment["SCHEDULE_EXPRESSION"],
            lock_table=environment["LOCK_TABLE"],
            default_credentials_secret=environment.get("CREDENTIALS_SECRET", ""),
            probe_path=probe_path,
        )
