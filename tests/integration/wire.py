"""Answers of AWS as octets, for servers that speak to the real SDK."""

from __future__ import annotations

import json

NAME = "talend-token/default/token"


def secret(number=1, token=None, *, issued_at=1795472989, life=1800, api_url="https://api.eu.cloud.talend.com"):
    """Return the answer of GetSecretValue for a version of the token secret."""
    version_id = f"v{number}"
    document = {
        "access_token": token or f"token-of-{version_id}",
        "token_type": "Bearer",
        "issued_at": issued_at,
        "expires_at": issued_at + life,
        "api_url": api_url,
        "version_id": version_id,
    }
    return {"Name": NAME, "VersionId": version_id, "SecretString": json.dumps(document)}


def answer(connection, body):
    """Send a body, or a value as JSON, with the status 200."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(octets), octets))
