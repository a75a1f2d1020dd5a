"""Pure rules: what may be published, when, and why not. No input or output; time is an argument."""
