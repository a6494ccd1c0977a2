"""SAM-5, SPC-4 and SBC-3: the device server behind a LUN. Knows nothing of iSCSI, of files or of threads."""
