"""Simulates outages of the token endpoint in virtual time, with the functions' code, and draws their chart."""
