"""The floor: sends the recorded bytes of another rotator's calls again, over connections that are kept."""

import base64
import json
import os
import socket
from pathlib import Path

exchanges = [
    (port, base64.b64decode(request)) for port, request in json.loads(Path(os.environ["RECORDING"]).read_text())
]
connections = {port: socket.create_connection(("127.0.0.1", port)) for port, _ in exchanges}
for connection in connections.values():
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def rotate() -> None:
    for port, request in exchanges:
        connection = connections[port]
        connection.sendall(request)
        answer = connection.recv(65_536)
        head = answer.index(b"\r\n\r\n") + 4
        length = int(answer[:head].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(answer) < head + length:
            answer += connection.recv(65_536)
