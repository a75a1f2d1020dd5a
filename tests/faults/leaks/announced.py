"""`python -m faults.leaks.announced MODULE ...` runs a module, and writes each secret that it mints to a file.

The environment names the file, which the process that runs the tests reads.
"""

from __future__ import annotations

import os
import runpy
import sys

from faults.leaks.search import MINTED

FILE_VARIABLE = "ANNOUNCED_SECRETS"

if __name__ == "__main__":
    file = os.open(os.environ[FILE_VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.addaudithook(lambda event, arguments: event == MINTED and os.write(file, f"{arguments[0]}\n".encode()))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
