"""The service account's credentials that the rotator sends to the token endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from rotator.domain.errors import CredentialsError
from talend_token.credentials import CredentialsPair, InvalidCredentials
from talend_token.document import Sensitive


@dataclass(frozen=True)
class Credentials:
    """A service account's ID and secret, from one version of a credentials secret."""

    secret_id: str
    """Name or ARN of the credentials secret."""
    version_id: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    api_url: str
    """Base URL of the API that the credentials are for."""

    @property
    def token_endpoint(self) -> str:
        """The URL that the credentials are sent to [Talend's user guide, generating a service account token]."""
        return f"{self.api_url}/security/oauth/token"


def parse_credentials(secret_id: str, version_id: str, text: Sensitive[str] | None, api_url: str) -> Credentials:
    """Parse the text of a credentials secret; see `talend_token.credentials`.

    `text` is None if the secret holds a binary value. `api_url` is used unless the secret names another API.

    Raises:
        CredentialsError: the text is malformed. The message gives `secret_id`, the problem and the fix, but never the
            value.
    """
    try:
        pair = CredentialsPair.from_text(text)
    except InvalidCredentials as error:
        raise CredentialsError(secret_id, error.problem, error.fix) from None
    return Credentials(secret_id, version_id, pair.client_id, pair.client_secret, pair.api_url or api_url)
