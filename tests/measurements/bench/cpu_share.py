"""As much of a processor as Lambda gives a function of some memory size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# "At 1,769 MB, a function has the equivalent of one vCPU", and in proportion [Lambda guide, memory].
MEMORY_MB_OF_ONE_CPU = 1769
_PERIOD_MICROSECONDS = 20_000
_ROOT = Path("/sys/fs/cgroup")


def share_of(memory_mb: int) -> float:
    """The part of one processor."""
    return memory_mb / MEMORY_MB_OF_ONE_CPU


@contextmanager
def cpu_share(share: float) -> Iterator[Callable[[], None] | None]:
    """What a new process has to call before it starts its program; None where this machine lets nobody make a cgroup.

    The kernel stops the process when it has had its share of a period of 20 ms; while it waits it uses up nothing.
    """
    name = f"talend-token-bench-{os.getpid()}"
    quota = round(share * _PERIOD_MICROSECONDS)
    second = (_ROOT / "cgroup.controllers").exists()
    group = _ROOT / name if second else _ROOT / "cpu" / name
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        try:
            if second:
                (group / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
        except OSError:
            yield None
            return
        processes = str(group / "cgroup.procs")
        yield lambda: _enter(processes)
    finally:
        group.rmdir()


def _enter(processes: str) -> None:
    with open(processes, "w") as file:  # noqa: PTH123 (between fork and exec the less the better)
        file.write(str(os.getpid()))
