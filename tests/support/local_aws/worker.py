"""One execution environment: a process that runs one function's handler under the real `awslambdaric`."""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from local_aws.function import Function
from local_aws.function_log import FunctionLog
from local_aws.runtime_api import Invocation, Outcome, RuntimeAPI

# AWS gives up after 10 seconds, and starts once more with the function's own timeout as the limit.
INIT_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it is gone, even by SIGKILL."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Worker:
    """Serves one invocation at a time until it is stopped, its process ends, or an invocation runs out of time."""

    def __init__(self, function: Function, command: Sequence[str], ended: Callable[["Worker"], None]) -> None:
        """`command` starts the runtime, given the handler. `ended` is called when the process has ended."""
        self.function = function
        self.busy = False
        # Its function has changed or is gone: to be stopped as soon as it is idle.
        self.outdated = False
        self.invocations = 0
        self.log = FunctionLog(function)
        self._command = command
        self._ended = ended
        self._api = RuntimeAPI()
        self._directory = Path(tempfile.mkdtemp(prefix=f"worker-{function.name}-"))
        self._process: asyncio.subprocess.Process | None = None
        self._exit: asyncio.Task[int] | None = None
        self._output = -1
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process id, None before the process exists."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the process exists and nothing has ended it; a kill takes effect later than it is sent."""
        return not self._stopped and self._exit is not None and not self._exit.done()

    async def invoke(self, invocation: Invocation) -> tuple[Outcome, str]:
        """Run one invocation, the first one with a cold start: how it went, and the log lines written meanwhile."""
        self.log.begin()
        init_started = time.monotonic()
        outcome = None
        init_ms = None
        if self._process is None:
            outcome = await self._initialise(invocation.request_id)
            init_ms = (time.monotonic() - init_started) * 1000
        self.log.start(invocation.request_id)
        started = time.monotonic()
        if outcome is None:
            outcome = await self._run(invocation)
        self.invocations += 1
        self._drain()
        self.log.report(
            invocation.request_id,
            duration_ms=(time.monotonic() - started) * 1000,
            init_ms=init_ms,
            memory_mb=self._peak_memory_mb(),
            status=outcome.status,
            error_type=outcome.error_type,
        )
        return outcome, self.log.end()

    async def _initialise(self, request_id: str) -> Outcome | None:
        """Start the process and wait until it asks for work; an outcome says why it does not."""
        address = await self._api.start()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._output = reading
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                self.function.handler,
                cwd=self.function.code_directory,
                env=self._environment(address),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        finally:
            os.close(writing)
        asyncio.get_running_loop().add_reader(reading, self._drain)
        self._exit = asyncio.create_task(self._process.wait())
        self._exit.add_done_callback(lambda _: self._ended(self))
        await self._until(self._api.initialised, INIT_SECONDS + self.function.timeout_seconds)
        if self._api.initialised.done():
            refused = self._api.initialised.result()
            if refused is None:
                return None
            # The runtime does not know which invocation its failure will be the answer to.
            error = json.loads(refused.payload) | {"requestId": request_id}
            self.stop()
            return Outcome(json.dumps(error).encode(), "error")
        return self._failure(request_id)

    async def _run(self, invocation: Invocation) -> Outcome:
        timeout = self.function.timeout_seconds
        answer = self._api.submit(invocation, int((time.time() + timeout) * 1000))
        await self._until(answer, timeout)
        return answer.result() if answer.done() else self._failure(invocation.request_id)

    async def _until(self, awaited: asyncio.Future[Any], timeout: float) -> None:
        """Wait for something of the runtime, for the end of the process, or for the time to be over."""
        assert self._exit is not None
        await asyncio.wait([awaited, self._exit], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    def _failure(self, request_id: str) -> Outcome:
        """End the worker, and report its exit or its timeout as Lambda does."""
        assert self._exit is not None
        status: Literal["failure", "timeout"]
        if not self._exit.done():
            status, error_type = "timeout", "Sandbox.Timedout"
            message = f"Task timed out after {self.function.timeout_seconds:.2f} seconds"
        else:
            code = self._exit.result()
            reason = f"signal: {(signal.strsignal(-code) or str(-code)).lower()}" if code < 0 else f"exit status {code}"
            status, error_type = "failure", "Runtime.ExitError"
            message = f"Runtime exited with error: {reason}" if code else "Runtime exited without providing a reason"
        self._drain()
        self.log.failure(request_id, message)
        self.stop()
        error = {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {message}"}
        return Outcome(json.dumps(error).encode(), status, error_type if status == "failure" else "")

    def stop(self) -> None:
        """Kill the process with its children and give back what it held."""
        self._stopped = True
        self._drain()
        self._api.close()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._output >= 0:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = -1
        shutil.rmtree(self._directory, ignore_errors=True)

    async def gone(self) -> None:
        """Wait until the process has ended."""
        if self._exit is not None:
            await asyncio.wait([self._exit])

    def _drain(self) -> None:
        """Move what the process has printed so far to the log: all that precedes its answer is in the pipe by then."""
        while self._output >= 0:
            try:
                chunk = os.read(self._output, 65536)
            except BlockingIOError:
                return
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._output)
                return
            self.log.feed(chunk)

    def _environment(self, runtime_api: str) -> dict[str, str]:
        # The worker's own folder stands for the /tmp that Lambda gives each execution environment.
        return self.function.environment() | {
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log.stream,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
        }

    def _peak_memory_mb(self) -> int:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), "0")
        return int(peak) // 1024
