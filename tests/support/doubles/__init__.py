"""Small machines that stand in for the outside world in unit tests, and record their calls.

This package exports those that run on every Python that the client supports. The others need the functions' code, so
import them from their modules.
"""

from doubles.clock import Clock
from doubles.marked import marked
from doubles.raw_server import raw_server, read_request
from doubles.token_source import InMemoryTokenSource

__all__ = ["Clock", "InMemoryTokenSource", "marked", "raw_server", "read_request"]
