"""HTTP: the NAS API and API v1. A handler parses a request into one action and puts its result into words."""
