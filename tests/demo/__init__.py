"""The demonstration: the real template, deployed to an embedded local AWS and a Talend simulator."""
