"""The server process: `python -m local_aws.server OPTIONS`, in the environment that holds ministack and nowhere else.

OPTIONS is an object in JSON: those of `LocalAWS`, the server's private `directory`, which it removes at the end, and
`lambda_python`, an interpreter that has awslambdaric and boto3. It prints one line, `{"endpoint_url": ...}`, when it is
ready. It ends, with every function that it runs, when its standard input reaches its end: a parent that is killed takes
it along.
"""

import argparse
import asyncio
import importlib
import json
import logging
import os
import shutil
import socket
import sys
from typing import Any

from local_aws import LocalAWS

# One module a service, in this order: CloudFormation wraps what the others have replaced.
SERVICES = (
    *("secrets_manager", "lambda_runtime", "schedules", "metrics", "alarms"),
    *("cloudformation", "service_role", "policies"),
)
HOST = "127.0.0.1"


def own_environment(options: argparse.Namespace, port: int) -> None:
    """Replace this process's environment: ministack takes its settings from it, and nothing of the host may leak in."""
    path = os.environ.get("PATH", os.defpath)
    os.environ.clear()
    os.environ.update(
        PATH=path,
        HOME=options.directory,
        TMPDIR=options.directory,
        LANG="C.UTF-8",
        AUTH="true",
        BIND_HOST=HOST,
        MINISTACK_HOST=HOST,
        GATEWAY_PORT=str(port),
        MINISTACK_ACCOUNT_ID=LocalAWS.account_id,
        MINISTACK_REGION=LocalAWS.region,
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        LOG_LEVEL="INFO",
        # As on AWS; by default ministack sets it by the memory of the machine.
        LAMBDA_ACCOUNT_CONCURRENCY="1000",
        LAMBDA_ASYNC_RETRY_BASE_SECONDS=str(options.retry_base_seconds),
    )


def memory() -> str:
    """Return what the server remembers beside the values of secrets, where no secret belongs."""
    from ministack.services import cloudwatch, cloudwatch_logs, dynamodb, eventbridge, sqs

    # Log lines, metrics and their dimensions, alarms' history, items, events, messages and so dead letters.
    stores = (
        *(cloudwatch_logs._log_groups, cloudwatch._metrics, cloudwatch._alarm_history),
        *(dynamodb._tables, eventbridge._events_log, sqs._queues),
    )
    return "\n".join(repr(store.all_items()) for store in stores)


class Application:
    """Answers the layer's own paths with JSON, leaves everything else to ministack, and says when it is ready."""

    def __init__(self, ministack: Any, port: int) -> None:
        from local_aws.lambda_runtime import running

        self._ministack = ministack
        self._ready = json.dumps({"endpoint_url": f"http://{HOST}:{port}"})
        self._routes = {"/_local_aws/workers": running.describe, "/_local_aws/memory": memory}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, or the start and the end of the server."""

        async def send_and_announce(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                print(self._ready, flush=True)

        route = self._routes.get(scope.get("path", ""))
        if route is None:
            await self._ministack(scope, receive, send_and_announce)
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(route()).encode()})


async def serve(listener: socket.socket, port: int) -> None:
    """Serve until the end of the input; requests that still run are not waited for."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.backlog = 1024
    config.loglevel = "WARNING"
    # Without a trigger hypercorn would take the signals.
    serving = asyncio.ensure_future(
        hypercorn_serve(Application(app, port), config, shutdown_trigger=asyncio.Event().wait)
    )
    stopping = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()


def main() -> None:
    """Run the server, and end it with all that it started."""
    options = argparse.Namespace(**json.loads(sys.argv[1]))
    listener = socket.create_server((HOST, 0), backlog=1024)
    port = listener.getsockname()[1]
    own_environment(options, port)
    status = 1
    try:
        for name in SERVICES:
            importlib.import_module(f"local_aws.{name}").patch(options)
        # Not `asyncio.run`, which would wait for what still runs.
        asyncio.new_event_loop().run_until_complete(serve(listener, port))
        importlib.import_module("local_aws.lambda_runtime").running.stop()
        status = 0
    except Exception:
        logging.exception("The local AWS has failed")
    finally:
        shutil.rmtree(options.directory, ignore_errors=True)
        logging.shutdown()
        # Threads of ministack that sleep or wait must not hold the exit up.
        os._exit(status)


if __name__ == "__main__":
    main()
