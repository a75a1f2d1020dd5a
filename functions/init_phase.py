"""Turns garbage collection off until a function has loaded; each handler imports this module first.

Imports create almost no garbage, but collecting it again and again among more and more objects takes a tenth of a cold
start.
"""

import gc

gc.disable()


def end() -> None:
    """Turn garbage collection on again, and exempt the imported objects from it because they are never freed."""
    gc.freeze()
    gc.enable()
