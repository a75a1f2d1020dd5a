"""Small machines that stand in for the outside world in unit tests, and record what happened to them.

Here are those that the client's tests need, which run on every Python that the client supports. Import the others,
which need the functions' code, from their modules.
"""

from doubles.clock import Clock
from doubles.marked import marked
from doubles.raw_server import raw_server, read_request
from doubles.token_source import InMemoryTokenSource

__all__ = ["Clock", "InMemoryTokenSource", "marked", "raw_server", "read_request"]
