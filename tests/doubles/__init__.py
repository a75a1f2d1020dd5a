"""Small machines that stand in for the outside world in unit tests, and record what happened to them."""

from doubles.clock import Clock
from doubles.secret_store import InMemorySecretStore
from doubles.single_flight import InMemoryCircuitBreaker, InMemorySingleFlight
from doubles.tls_server import self_signed_server
from doubles.token_endpoint import ScriptedTokenEndpoint, access_token, jwt

__all__ = [
    "Clock",
    "InMemoryCircuitBreaker",
    "InMemorySecretStore",
    "InMemorySingleFlight",
    "ScriptedTokenEndpoint",
    "access_token",
    "jwt",
    "self_signed_server",
]
