"""Pure rules that decide what may be published, and when. They do no input or output, and the time is an argument."""
