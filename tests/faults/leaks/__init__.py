"""The search for secrets in everything that comes out."""
