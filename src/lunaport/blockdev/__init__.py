"""Block devices: the interface, its errors, a device in memory, and filters that stack on any device."""
