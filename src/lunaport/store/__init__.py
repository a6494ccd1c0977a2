"""The configuration database: SQLite, its migrations, and the key that its secrets are encrypted with."""
