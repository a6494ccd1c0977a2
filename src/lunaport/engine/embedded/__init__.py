"""The embedded engine: iSCSI sessions, SCSI and files meet here, in a process of its own."""
