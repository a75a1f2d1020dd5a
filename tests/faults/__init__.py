"""Tests that let everything fail that can be named, while a witness looks at what consumers read."""
