"""Every fault, in every state of the token."""
