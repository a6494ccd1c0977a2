"""The use cases: one typed action each, carried out one at a time."""
