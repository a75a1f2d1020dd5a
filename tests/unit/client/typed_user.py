"""A program that uses the client, which is type-checked but not run."""

from __future__ import annotations

import httpx
import requests

from talend_token import RenewalFailed, TalendTokenError, Token, TokenClient, TokenUnavailable
from talend_token.aio import AsyncTokenClient
from talend_token.httpx import TalendAuth as HttpxAuth
from talend_token.requests import TalendAuth
from talend_token.secrets_manager import SecretsManagerSource


def with_requests() -> int:
    session = requests.Session()
    session.auth = TalendAuth()
    return session.get("https://api.eu.cloud.talend.com/", timeout=10).status_code


def with_httpx(client: TokenClient) -> int:
    with httpx.Client(auth=HttpxAuth(client, also_for=["https://api.us.cloud.talend.com"])) as http:
        return http.get("https://api.eu.cloud.talend.com/").status_code


def by_hand() -> dict[str, str]:
    client = TokenClient(SecretsManagerSource("talend-token/default/token", "renew"), renewal_timeout_seconds=10)
    try:
        token: Token = client.get_token(min_remaining=60)
        token = client.renew(token)
    except RenewalFailed as error:
        raise SystemExit(f"{error.outcome}, again in {error.retry_after_seconds:.0f} s") from error
    except (TokenUnavailable, TalendTokenError) as error:
        raise SystemExit(str(error)) from error
    _: tuple[str, int] = (token.api_url, token.expires_at)
    return {"Authorization": f"Bearer {token.access_token}", "X": token.version_id}


async def in_tasks() -> Token:
    tokens = AsyncTokenClient()
    return await tokens.renew(await tokens.get_token(min_remaining=60))
