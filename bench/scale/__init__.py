"""How the NAS grows, and what it does under pressure: `python -m bench.scale`, or `make scale`.

Each part starts a NAS of its own, measures, and holds what it found against its bars. Clients and NAS share the
processors of one machine: what is told is the least that the NAS does.
"""
