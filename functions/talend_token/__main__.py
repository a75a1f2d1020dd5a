"""`python -m talend_token` is the command `talend-token`."""

import sys

from talend_token._command_line.entry import main

if __name__ == "__main__":
    sys.exit(main())
