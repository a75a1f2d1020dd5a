"""A warm process: each round is a rotation and a renewal by the real handlers over the real adapters."""

from __future__ import annotations

import contextlib
import gc
import io
import os
from pathlib import Path

import renew
import rotate


class Context:
    """Lambda's context of an invocation."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def invoke(rounds: int, samples: int, account: str, rejected: str) -> None:
    """Print the resident set in bytes at `samples` moments, equally far apart."""
    for number in range(1, rounds + 1):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            for handler in (rotate, renew):
                handler.logger.registered_handler.stream = output
            rotated = rotate.handler({"account": account}, Context())  # type: ignore[arg-type]
            event = {"account": account, "rejected_version_id": rejected}
            renewed = renew.handler(event, Context())  # type: ignore[arg-type]
        assert (rotated["outcome"], renewed["outcome"]) == ("rotated", "rotated")
        if number % (rounds // samples) == 0:
            gc.collect()
            print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"), flush=True)
