"""The command line: clients of API v1. `serve` itself is added by `runtime.main`."""
