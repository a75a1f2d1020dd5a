"""Provides programs on AWS with valid Talend Cloud tokens.

    import requests
    from talend_token.requests import TalendAuth

    session = requests.Session()
    session.auth = TalendAuth()

`talend_token.httpx.TalendAuth` does the same for httpx, sync and async. For anything else, use `TokenClient`, or
`talend_token.aio.AsyncTokenClient` with asyncio.
"""

from talend_token._client import TokenClient
from talend_token._token import Token
from talend_token.errors import (
    BodyNotRepeatable,
    HostNotAllowed,
    InvalidTokenDocument,
    NotConfigured,
    RenewalFailed,
    TalendTokenError,
    TokenUnavailable,
)

__all__ = [
    "BodyNotRepeatable",
    "HostNotAllowed",
    "InvalidTokenDocument",
    "NotConfigured",
    "RenewalFailed",
    "TalendTokenError",
    "Token",
    "TokenClient",
    "TokenUnavailable",
]
