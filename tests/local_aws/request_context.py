"""What the request that invokes a function tells about the invocation, on its way to the thread that runs it.

As it comes, ministack gives the function another request id than the caller and drops the client context and the trace.
"""

import base64
import binascii
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ministack import app

REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
CLIENT_CONTEXT: contextvars.ContextVar[str] = contextvars.ContextVar("client_context", default="")
TRACE_HEADER: contextvars.ContextVar[str] = contextvars.ContextVar("trace_header", default="")


def mend() -> None:
    """Note the id, client context and trace header of each Invoke request."""
    dispatch: Callable[..., Awaitable[Any]] = app._dispatch_service_request

    async def noting(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any, request_id: str
    ) -> Any:
        if path.startswith("/2015-03-31/functions/") and path.endswith("/invocations"):
            REQUEST_ID.set(request_id)
            CLIENT_CONTEXT.set(_decoded(headers.get("x-amz-client-context", "")))
            TRACE_HEADER.set(headers.get("x-amzn-trace-id", ""))
        return await dispatch(method, path, headers, body, query, request_id)

    app._dispatch_service_request = noting


def _decoded(client_context: str) -> str:
    try:
        return base64.b64decode(client_context, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # The runtime reports what it cannot parse.
        return client_context
