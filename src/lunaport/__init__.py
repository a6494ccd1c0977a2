"""Lunaport: an iSCSI NAS in Python."""

__version__ = "0.1.0"
