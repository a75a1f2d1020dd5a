"""The floor: send the recorded bytes of another rotator's calls again, over a connection that is kept."""

import base64
import json
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

requests = [base64.b64decode(request) for request in json.loads(Path(sys.argv[2]).read_text())]
address = urlsplit(os.environ["TALEND_API_URL"])
connection = socket.create_connection((address.hostname, address.port))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def rotate() -> None:
    for request in requests:
        connection.sendall(request)
        answer = connection.recv(65_536)
        head = answer.index(b"\r\n\r\n") + 4
        length = int(answer[:head].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(answer) < head + length:
            answer += connection.recv(65_536)
