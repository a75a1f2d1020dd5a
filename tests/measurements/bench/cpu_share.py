"""Give processes as much of a processor as Lambda gives a function of some memory size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# "At 1,769 MB, a function has the equivalent of one vCPU", and in proportion [Lambda guide, memory].
MEMORY_MB_OF_ONE_CPU = 1769
_PERIOD_MICROSECONDS = 20_000
_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def cpu_share(memory_mb: int) -> Iterator[Callable[[], None]]:
    """Yield what a new process has to call before it starts its program.

    The kernel stops the process when it has had its share of a period of 20 ms; while it waits, it uses up nothing.

    Raises:
        OSError: this machine does not allow a cgroup.
    """
    name, quota = f"talend-token-bench-{os.getpid()}", str(_PERIOD_MICROSECONDS * memory_mb // MEMORY_MB_OF_ONE_CPU)
    if (_ROOT / "cgroup.controllers").exists():
        group, limits = _ROOT / name, {"cpu.max": f"{quota} {_PERIOD_MICROSECONDS}"}
    else:
        group, limits = (
            _ROOT / "cpu" / name,
            {"cpu.cfs_period_us": str(_PERIOD_MICROSECONDS), "cpu.cfs_quota_us": quota},
        )
    group.mkdir()
    try:
        for file, limit in limits.items():
            (group / file).write_text(limit)
        processes = group / "cgroup.procs"
        yield lambda: _enter(str(processes))
    finally:
        group.rmdir()


def _enter(processes: str) -> None:
    with open(processes, "w") as file:  # noqa: PTH123 (between fork and exec the less the better)
        file.write(str(os.getpid()))
