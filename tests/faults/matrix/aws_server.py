"""AWS on loopback ports, for what happens to connections: behind them is the same wire as without sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.exceptions import HTTPClientError

from faults.matrix.aws_wire import AwsWire
from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request, Response
from talend_simulator.server import Server


@contextmanager
def aws_server(wire: AwsWire, service: str, region: str) -> Iterator[Server]:
    """Serve one service; a port of its own for each, as each has a host of its own."""

    def exchange(request: Request, connection: Connection) -> None:
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name] = value.encode()  # type: ignore[assignment]
        url = f"https://{service}.{region}.amazonaws.com/"
        try:
            answer = wire.serve(AWSPreparedRequest(request.method, url, headers, request.body, stream_output=False))
        except HTTPClientError:
            # Whatever was done, its answer is lost.
            connection.reset()
            return
        connection.send(Response(answer.status_code, answer.content, dict(answer.headers)))

    server = Server(0, exchange, Stalls())
    server.start()
    try:
        yield server
    finally:
        server.stop()


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"
