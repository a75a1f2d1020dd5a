"""A token that was put into the environment, for work without AWS."""

from __future__ import annotations

import os

from talend_token._origin import is_base_url
from talend_token._ports import Published, Renewal
from talend_token._token import Token
from talend_token.document import LAST_SECOND, fits_a_header
from talend_token.errors import NotConfigured, RenewalFailed


class FixedSource:
    """See `talend_token._ports.TokenSource`. The token never changes, and is taken to work until an API rejects it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    @classmethod
    def from_environment(cls) -> FixedSource:
        """Read `TALEND_ACCESS_TOKEN` and `TALEND_API_URL`.

        Raises:
            NotConfigured: the URL is missing or none, or the token has characters that no header may hold.
        """
        if not is_base_url(os.environ.get("TALEND_API_URL", "")):
            raise NotConfigured(
                "TALEND_ACCESS_TOKEN is set: set TALEND_API_URL too, to the API that the token is for, such as "
                "https://api.eu.cloud.talend.com."
            )
        if not fits_a_header(os.environ["TALEND_ACCESS_TOKEN"]):
            raise NotConfigured("TALEND_ACCESS_TOKEN has characters that no header may hold: is it cut, or quoted?")
        # Nothing says when such a token ends.
        token = Token(
            os.environ["TALEND_ACCESS_TOKEN"],
            expires_at=LAST_SECOND,
            version_id="",
            api_url=os.environ["TALEND_API_URL"].rstrip("/"),
        )
        return cls(token)

    def read(self) -> Published:
        return Published(self._token, issued_at=0, answered_at=None)

    def renew(self, rejected_version_id: str) -> Renewal:  # noqa: ARG002
        raise RenewalFailed(
            "the API rejected the token in TALEND_ACCESS_TOKEN: set another one.",
            outcome="not_configured",
            retry_after_seconds=0,
        )

    def __str__(self) -> str:
        return "environment variable TALEND_ACCESS_TOKEN"
