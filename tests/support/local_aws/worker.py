"""One execution environment: a process that runs one function's handler under the real `awslambdaric`."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from local_aws.function import Function
from local_aws.function_log import FunctionLog
from local_aws.runtime_api import Invocation, Outcome, RuntimeAPI

# AWS gives up after 10 seconds, and starts once more with the function's own timeout as the limit.
INIT_SECONDS = 10.0
# A processor starts one after the other, so that of many the first ones are soon at work.
STARTING = threading.Semaphore(os.cpu_count() or 1)


class Worker:
    """Serves one invocation at a time until it is stopped, its process ends, or an invocation runs out of time."""

    def __init__(self, function: Function, command: Sequence[str]) -> None:
        """`command` starts the runtime, given the handler."""
        self.function = function
        self.busy = True
        # Its function has changed or is gone: to be stopped as soon as it is idle.
        self.outdated = False
        self.log = FunctionLog(function)
        self._command = command
        self._api = RuntimeAPI()
        # The worker's own folder stands for the /tmp that Lambda gives each execution environment.
        self._directory = Path(tempfile.mkdtemp(prefix=f"worker-{function.name}-"))
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the worker)
        self._read_bytes = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._exit: Future[int] = Future()
        # Another thread may stop the worker while an invocation waits for its answer.
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """The process id, None before the process exists."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether nothing has ended the process."""
        return not self._exit.done()

    def invoke(self, invocation: Invocation) -> tuple[Outcome, str]:
        """Run one invocation, the first one with a cold start: how it went, and the log lines written meanwhile."""
        self.log.begin()
        outcome = None if self._process else self._initialise(invocation.request_id)
        request = {"requestId": invocation.request_id}
        self.log.platform("start", request | {"version": self.function.config["Version"]})
        started = time.monotonic()
        if outcome is None:
            outcome = self._run(invocation)
        self._read_output()
        metrics = {"durationMs": round((time.monotonic() - started) * 1000, 3)}
        error_type = {"errorType": outcome.error_type} if outcome.error_type else {}
        self.log.platform("report", request | {"metrics": metrics, "status": outcome.status} | error_type)
        return outcome, self.log.end()

    def _initialise(self, request_id: str) -> Outcome | None:
        """Start the process and wait until it asks for work; an outcome says why it does not."""
        initialised = self._api.initialised
        with STARTING:
            self._process = process = self._start()
            threading.Thread(target=lambda: self._exit.set_result(process.wait()), daemon=True).start()
            self._wait_for(initialised, INIT_SECONDS + self.function.timeout_seconds)
        if not initialised.done():
            return self._failure(request_id)
        refused = initialised.result()
        if refused is None:
            return None
        # The runtime does not know which invocation its failure will be the answer to.
        error = json.loads(refused.payload) | {"requestId": request_id}
        self.stop()
        return Outcome(json.dumps(error).encode(), "error")

    def _start(self) -> subprocess.Popen[bytes]:
        variables = {
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log.stream,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
        }
        return subprocess.Popen(
            [*self._command, self.function.config["Handler"]],
            cwd=self.function.code_directory,
            env=self.function.environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def _run(self, invocation: Invocation) -> Outcome:
        timeout = self.function.timeout_seconds
        answer = self._api.submit(invocation, int((time.time() + timeout) * 1000))
        self._wait_for(answer, timeout)
        return answer.result() if answer.done() else self._failure(invocation.request_id)

    def _wait_for(self, answer: Future[Any], timeout: float) -> None:
        """Wait for something of the runtime, for the end of the process, or for the time to be over."""
        wait([answer, self._exit], timeout, FIRST_COMPLETED)

    def _failure(self, request_id: str) -> Outcome:
        """End the worker, and return its exit or its timeout as Lambda reports it."""
        if self.alive:
            message = f"Task timed out after {self.function.timeout_seconds:.2f} seconds"
            outcome = Outcome(_error("Sandbox.Timedout", request_id, message), "timeout")
        else:
            code = self._exit.result()
            reason = f"signal: {signal.strsignal(-code)}".lower() if code < 0 else f"exit status {code}"
            message = f"Runtime exited with error: {reason}" if code else "Runtime exited without providing a reason"
            outcome = Outcome(_error("Runtime.ExitError", request_id, message), "failure", "Runtime.ExitError")
        self.stop()
        return outcome

    def stop(self) -> None:
        """Kill the process with its children, wait for its end, and give back what it held."""
        with self._lock:
            if self._output.closed:
                return
            if self._process:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._exit.result()
            self._read_output()
            self._output.close()
            self._api.close()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _read_output(self) -> None:
        """Move what the process has printed so far to the log: all that precedes its answer is in the file by then."""
        with self._lock:
            if not self._output.closed:
                file = self._output.fileno()
                # The process has the same file, and its position is where it writes.
                printed = os.pread(file, os.fstat(file).st_size - self._read_bytes, self._read_bytes)
                self._read_bytes += len(printed)
                self.log.feed(printed)


def _error(error_type: str, request_id: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {message}"}).encode()
