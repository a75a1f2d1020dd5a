"""The demonstration: the real template, deployed to an embedded local AWS beside a Talend simulator."""
