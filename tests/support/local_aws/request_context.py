"""What the request that invokes a function tells about the invocation, on its way to the thread that runs it.

As it comes, ministack gives the function another request id than the caller and drops the client context and the trace.
It also invokes the function with `{}` if the payload is not JSON, which AWS refuses.
"""

import base64
import binascii
import contextvars
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from ministack import app
from ministack.core.responses import error_response_json

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
            try:
                json.loads(body or b"{}", parse_constant=_no_json)
            except ValueError as error:
                message = f"Could not parse request body into json: {error}"
                return error_response_json("InvalidRequestContentException", message, 400)
            REQUEST_ID.set(request_id)
            CLIENT_CONTEXT.set(_decoded(headers.get("x-amz-client-context", "")))
            TRACE_HEADER.set(headers.get("x-amzn-trace-id", ""))
        return await dispatch(method, path, headers, body, query, request_id)

    app._dispatch_service_request = noting


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is a number to Python only")


def _decoded(client_context: str) -> str:
    try:
        return base64.b64decode(client_context, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # The runtime reports what it cannot parse.
        return client_context
