"""Runs the command `talend-token` for `python -m talend_token`."""

import sys

from talend_token._command_line.entry import main

if __name__ == "__main__":
    sys.exit(main())
