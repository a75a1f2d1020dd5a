"""Small machines that stand in for the outside world in unit tests, and record what happened to them."""

from doubles.clock import Clock
from doubles.lock import InMemoryCircuitBreaker, InMemoryLock
from doubles.marked import marked
from doubles.probe import ScriptedProbe
from doubles.raw_server import raw_server, read_request
from doubles.secret_store import InMemorySecretStore
from doubles.tls_server import self_signed_server, tls_context
from doubles.token_endpoint import ScriptedTokenEndpoint, access_token, jwt
from doubles.token_source import InMemoryTokenSource

__all__ = [
    "Clock",
    "InMemoryCircuitBreaker",
    "InMemoryLock",
    "InMemorySecretStore",
    "InMemoryTokenSource",
    "ScriptedProbe",
    "ScriptedTokenEndpoint",
    "access_token",
    "jwt",
    "marked",
    "raw_server",
    "read_request",
    "self_signed_server",
    "tls_context",
]
