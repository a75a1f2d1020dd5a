"""The logic of the two functions, which reaches AWS and Talend through the ports."""
