"""What the store raises.

StoreError
 ├─ DatabaseBrokenError   the file is damaged, or no database of ours
 ├─ DatabaseNewerError    a later version of the program wrote it
 ├─ DatabaseBusyError     another process holds it
 ├─ KeyMissingError       the database is there, the key of its secrets is not
 ├─ KeyWrongError         the key is not the one of this database
 └─ DatabaseUnusableError it was opened, and a transaction failed: the use cases see it as the model's error
"""

from lunaport.model.errors import DatabaseFailedError


class StoreError(Exception):
    """Base. The message is for the administrator: what is wrong, and what would help. Nothing was overwritten."""


class DatabaseBrokenError(StoreError):
    """The file is damaged, or no database of ours."""


class DatabaseNewerError(StoreError):
    """A later version of the program wrote it."""


class DatabaseBusyError(StoreError):
    """Another process holds it."""


class KeyMissingError(StoreError):
    """The database is there, the key of its secrets is not."""


class KeyWrongError(StoreError):
    """The key is not the one of this database."""


class DatabaseUnusableError(StoreError, DatabaseFailedError):
    """A transaction failed for the database's sake; it was undone."""
