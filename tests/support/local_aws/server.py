"""The server process: `python -m local_aws.server`, in the environment that holds ministack and nowhere else.

It prints one line, `{"endpoint_url": ...}`, when it is ready. It ends, with every function that it runs, on SIGTERM, on
SIGINT, and when its standard input reaches its end: a parent that is killed takes it along.
"""

import argparse
import asyncio
import importlib
import importlib.metadata
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

MINISTACK_VERSION = "1.5.33"
# One module a service, in this order: CloudFormation wraps what the others have replaced.
SERVICES = (
    "secrets_manager",
    "secret_replicas",
    "lambda_runtime",
    "schedules",
    "metrics",
    "alarms",
    "query_definitions",
    "cloudformation",
    "nested_stacks",
    "service_role",
    "condition_keys",
    "other_accounts",
    "memory",
)
HOST = "127.0.0.1"

Routes = dict[str, Callable[[], Any]]


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.server", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="private folder for temporary files")
    parser.add_argument("--remove-directory", action="store_true", help="remove the folder at the end")
    parser.add_argument("--lambda-python", type=Path, required=True, help="interpreter that has awslambdaric and boto3")
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--account-id", default="123456789012")
    parser.add_argument("--schedule-speed", type=float, default=1.0, help="schedules fire this many times faster")
    parser.add_argument("--concurrency", type=int, default=16, help="runs of one function at the same moment")
    parser.add_argument("--retry-base-seconds", type=float, default=1.0, help="pause before an asynchronous retry")
    return parser.parse_args()


def check_version() -> None:
    """Refuse any ministack but the one that the patches were written against."""
    found = importlib.metadata.version("ministack")
    if found != MINISTACK_VERSION:
        raise SystemExit(
            f"This layer mends ministack {MINISTACK_VERSION}, and {found} is installed: "
            "install the pinned version, or check every patch against the new one and change MINISTACK_VERSION."
        )


def own_environment(options: argparse.Namespace, port: int) -> None:
    """Replace this process's environment: ministack takes its settings from it, and nothing of the host may leak in."""
    temporary = options.directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    path = os.environ.get("PATH", os.defpath)
    os.environ.clear()
    os.environ.update(
        PATH=path,
        HOME=str(options.directory),
        TMPDIR=str(temporary),
        LANG="C.UTF-8",
        AUTH="true",
        BIND_HOST=HOST,
        MINISTACK_HOST=HOST,
        GATEWAY_PORT=str(port),
        MINISTACK_ACCOUNT_ID=options.account_id,
        MINISTACK_REGION=options.region,
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        LOG_LEVEL="INFO",
        # As on AWS; by default ministack sets it by the memory of the machine.
        LAMBDA_ACCOUNT_CONCURRENCY="1000",
        LAMBDA_ASYNC_RETRY_BASE_SECONDS=str(options.retry_base_seconds),
    )


def mend(options: argparse.Namespace) -> Routes:
    """Patch every service; the result is the layer's own HTTP routes."""
    routes: Routes = {}
    for name in SERVICES:
        module = importlib.import_module(f"local_aws.{name}")
        module.mend(options, routes)
    return routes


def with_routes(app: Callable[..., Awaitable[None]], routes: Routes, port: int) -> Callable[..., Awaitable[None]]:
    """Answer the layer's own paths with JSON, leave everything else to ministack, and say when it is ready."""

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, _announcing(send, port))
            return
        route = routes.get(scope.get("path", ""))
        if route is None:
            await app(scope, receive, send)
            return
        body = json.dumps(route()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    return outer


async def serve(listener: socket.socket, routes: Routes, port: int) -> None:
    """Serve until told to stop, and then leave everything as it is: requests that still run are not waited for."""
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
        hypercorn_serve(with_routes(app, routes, port), config, shutdown_trigger=asyncio.Event().wait)
    )
    stopping = asyncio.ensure_future(_told_to_stop())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()


async def _told_to_stop() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)

    def until_end_of_input() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(told.set)

    threading.Thread(target=until_end_of_input, daemon=True, name="end-of-input").start()
    await told.wait()


def _announcing(send: Any, port: int) -> Any:
    async def send_and_announce(message: Any) -> None:
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            print(json.dumps({"endpoint_url": f"http://{HOST}:{port}"}), flush=True)

    return send_and_announce


def main() -> None:
    """Run the server until it is told to stop."""
    options = arguments()
    check_version()
    listener = socket.create_server((HOST, 0), backlog=1024)
    port = listener.getsockname()[1]
    own_environment(options, port)
    status = 1
    try:
        routes = mend(options)
        # Not `asyncio.run`, which would wait for what still runs.
        asyncio.new_event_loop().run_until_complete(serve(listener, routes, port))
        status = 0
    except SystemExit as error:
        print(error, file=sys.stderr)
    except Exception:
        logging.exception("The local AWS has failed")
    finally:
        from local_aws import lambda_runtime

        lambda_runtime.stop()
        shutil.rmtree(options.directory if options.remove_directory else options.directory / "tmp", ignore_errors=True)
        logging.shutdown()
        # Threads of ministack that sleep or wait must not hold the exit up.
        os._exit(status)


if __name__ == "__main__":
    main()
