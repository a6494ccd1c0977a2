"""RFC 7143 without I/O, threads or clocks. A CDB is opaque bytes here."""
