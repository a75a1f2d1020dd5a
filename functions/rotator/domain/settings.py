"""Parses the function's environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rotator.domain.errors import InvalidSettings
from rotator.domain.invocation import DEFAULT_ACCOUNT
from talend_token.api_url import checked_api_url

_REQUIRED = ("TALEND_API_URL", "SECRET_PREFIX", "SCHEDULE_EXPRESSION", "LOCK_TABLE", "STACK_NAME")
_PREFIX = re.compile(r"[A-Za-z0-9_+=.@-]+(/[A-Za-z0-9_+=.@-]+)*")
# Visible ASCII. The path is appended to the API URL, so a leading "/" ensures that it cannot change the host.
_PROBE_PATH = re.compile(r"/[!-~]*")
# Secrets Manager appends this suffix to a secret's name in its ARN.
_ARN_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


@dataclass(frozen=True)
class Settings:
    """The values of the stack's parameters."""

    secret_prefix: str
    api_url: str
    """The API of every account whose credentials do not name another."""
    schedule_expression: str
    """The schedule of the rotations, as an expression of EventBridge Scheduler."""
    lock_table: str
    """Name of the DynamoDB table with the locks and the circuit breakers."""
    stack_name: str
    """Name of the stack, which separates its metrics from those of another stack."""
    default_credentials_secret: str = ""
    """Name or ARN of an existing secret for the default account; empty for `<prefix>/default/credentials`."""
    probe_path: str = ""
    """Path of the API on which a new token is tried before it is published; empty if it is not tried."""

    def credentials_secret(self, account: str) -> str:
        """Return the name or ARN of the secret that holds the account's `ID:secret`."""
        if account == DEFAULT_ACCOUNT and self.default_credentials_secret:
            return self.default_credentials_secret
        return f"{self.secret_prefix}/{account}/credentials"

    def token_secret(self, account: str) -> str:
        """Return the name of the secret that holds the account's token document."""
        return f"{self.secret_prefix}/{account}/token"

    def account_of(self, secret_id: str) -> str | None:
        """Return the account whose credentials secret has this name or complete ARN; None if there is none."""
        existing = self.default_credentials_secret
        if existing.startswith("arn:") and _ARN_SUFFIX.fullmatch(secret_id.removeprefix(existing)):
            return DEFAULT_ACCOUNT
        if existing and secret_id == existing:
            return DEFAULT_ACCOUNT
        account = secret_id.removeprefix(f"{self.secret_prefix}/").removesuffix("/credentials")
        return account if self.credentials_secret(account) == secret_id else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Parse `TALEND_API_URL`, `SECRET_PREFIX`, `SCHEDULE_EXPRESSION`, `LOCK_TABLE`, `STACK_NAME`, and the optional
        variables `CREDENTIALS_SECRET` and `PROBE_PATH`.

        Raises:
            InvalidSettings: variables are missing or wrong. The message names each of them.
        """
        problems = [f"{name} is missing" for name in _REQUIRED if not environment.get(name)]
        prefix = environment.get("SECRET_PREFIX", "")
        if prefix and not _PREFIX.fullmatch(prefix):
            problems.append(f"SECRET_PREFIX {prefix!r} cannot be part of a secret's name")
        probe_path = environment.get("PROBE_PATH", "")
        if probe_path and not _PROBE_PATH.fullmatch(probe_path):
            problems.append(f"PROBE_PATH {probe_path!r} must start with '/' and must not have spaces")
        api_url = environment.get("TALEND_API_URL", "")
        try:
            api_url = checked_api_url(api_url) if api_url else ""
        except ValueError as error:
            problems.append(str(error))
        if problems:
            raise InvalidSettings(
                f"the function's environment is unusable: {'; '.join(problems)}. Correct the "
                "stack's parameters and deploy it again."
            )
        return cls(
            secret_prefix=prefix,
            api_url=api_url,
            schedule_expression=environment["SCHEDULE_EXPRESSION"],
            lock_table=environment["LOCK_TABLE"],
            stack_name=environment["STACK_NAME"],
            default_credentials_secret=environment.get("CREDENTIALS_SECRET", ""),
            probe_path=probe_path,
        )
