"""Every interleaving of a few runs."""
