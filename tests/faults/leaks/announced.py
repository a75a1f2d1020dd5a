"""`python -m faults.leaks.announced MODULE ...` runs a module and has it announce each secret that it mints.

They go to the file that the environment names, a line each; the process that runs the tests looks for them.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any

from faults.leaks.search import MINTED

FILE_VARIABLE = "ANNOUNCED_SECRETS"


def main() -> None:
    """Run the module as if it had been started itself."""
    file = os.open(os.environ[FILE_VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == MINTED:
            os.write(file, f"{arguments[0]}\n".encode())

    sys.addaudithook(hear)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
