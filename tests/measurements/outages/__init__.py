"""What the docs' charts show: simulations of the real code in virtual time, and their drawings."""
