"""Fuzzing: everything that takes a stranger's bytes, driven by coverage (`make fuzz`), replayed by the unit tests."""
