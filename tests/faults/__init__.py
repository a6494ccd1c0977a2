"""Faults, tried while initiators write: what they saw, what the administrator was told, and what is still there."""
