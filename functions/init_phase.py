"""The time until a function's first event: imported first by each function.

While modules are imported nearly nothing becomes garbage, and looking for it again and again, among more and more
objects, is a tenth of a cold start.
"""

import gc

gc.disable()


def end() -> None:
    """Look for garbage again, but not among what was imported: that stays."""
    gc.freeze()
    gc.enable()
