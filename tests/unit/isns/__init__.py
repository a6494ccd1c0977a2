"""Tests of lunaport.isns."""
