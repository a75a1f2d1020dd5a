"""What the two functions do, over the ports."""
