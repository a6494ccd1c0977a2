"""Engines: what turns desired state into targets on the wire."""
