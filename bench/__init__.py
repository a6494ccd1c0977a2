"""Lunaport beside tgtd: the same fio jobs against both, in turns."""
