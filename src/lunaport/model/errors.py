"""What is wrong with a value, in a form that every interface can put into its own words.

A `Problem` names the field by its path in the model (`("one_way", "secret")`); the NAS API and API v1 translate the
path to their own names. Messages say what was wrong and what would be right, do not repeat the field's name, and never
contain a secret. Several problems are reported at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Every kind of problem. The values are stable: API v1 answers them as `code`."""

    BODY_NOT_JSON = "body_not_json"
    BODY_NOT_OBJECT = "body_not_object"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TIMEOUT = "body_timeout"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    ID_NOT_ALLOWED = "id_not_allowed"
    NAME_INVALID = "name_invalid"
    NAME_TAKEN = "name_taken"
    SIZE_INVALID = "size_invalid"
    SIZE_NOT_POSITIVE = "size_not_positive"
    SIZE_TOO_LARGE = "size_too_large"
    SIZE_SHRINKS = "size_shrinks"
    VOLUME_UNKNOWN = "volume_unknown"
    VOLUME_FULL = "volume_full"
    VOLUME_FIXED = "volume_fixed"
    VOLUME_INVALID = "volume_invalid"
    VOLUME_IN_USE = "volume_in_use"
    TRASH_BUSY = "trash_busy"
    VOLUME_TAKEN = "volume_taken"
    CHAP_USERNAME_INVALID = "chap_username_invalid"
    CHAP_SECRET_INVALID = "chap_secret_invalid"  # noqa: S105 - the name of a problem, not a secret
    CHAP_INCOMPLETE = "chap_incomplete"
    CHAP_MUTUAL_ALONE = "chap_mutual_alone"
    CHAP_SECRETS_EQUAL = "chap_secrets_equal"
    CHAP_OVERLAP_INVALID = "chap_overlap_invalid"
    CHAP_CREDENTIALS_INVALID = "chap_credentials_invalid"
    ACCESS_INVALID = "access_invalid"
    LUNS_INVALID = "luns_invalid"
    LUN_KIND_INVALID = "lun_kind_invalid"
    LUN_KIND_FIXED = "lun_kind_fixed"
    LUN_TAKEN = "lun_taken"
    LUN_LAST = "lun_last"
    PORT_INVALID = "port_invalid"
    PORT_UNAVAILABLE = "port_unavailable"
    PORTAL_INVALID = "portal_invalid"
    PORTAL_GROUP_INVALID = "portal_group_invalid"
    PORTAL_LAST = "portal_last"
    ISNS_ADDRESS_INVALID = "isns_address_invalid"
    ISNS_ADDRESS_MISSING = "isns_address_missing"
    USER_NAME_INVALID = "user_name_invalid"
    USER_NAME_TAKEN = "user_name_taken"
    USER_LAST_ADMIN = "user_last_admin"
    ROLE_TOO_LOW = "role_too_low"
    PASSWORD_WRONG = "password_wrong"  # noqa: S105 - the name of a problem, not a secret
    LIMIT_INVALID = "limit_invalid"
    TIME_INVALID = "time_invalid"
    NOTE_INVALID = "note_invalid"
    BLOCKS_FULL = "blocks_full"
    BACKUP_INVALID = "backup_invalid"
    BACKUP_NEWER = "backup_newer"
    BACKUP_PASSPHRASE = "backup_passphrase"  # noqa: S105 - the name of a problem, not a secret
    CONFIG_PRESENT = "config_present"
    NOT_FOUND = "not_found"
    STALE = "stale"
    PARAMETER_INVALID = "parameter_invalid"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    THROTTLED = "throttled"
    ENGINE_FAILED = "engine_failed"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    DATABASE_FAILED = "database_failed"
    INTERNAL = "internal"


Path = tuple[str | int, ...]
"""Where a field stands: names, and indexes into lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with one field; an empty path means the request as a whole."""

    fault: Fault
    message: str
    path: Path = ()
    blockers: tuple[str, ...] = ()
    """What is in the way, where something is."""


class ModelError(Exception):
    """Base of what this package raises."""


class DatabaseFailedError(ModelError):
    """The configuration database cannot be used now. The message is for the administrator."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What interfaces answer."""
        return (Problem(fault=Fault.DATABASE_FAILED, message=str(self)),)


class InvalidError(ModelError):
    """A value was refused. Holds at least one problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "; ".join(f"{'.'.join(map(str, each.path))}: {each.message}" for each in self.problems)


def invalid(fault: Fault, message: str, *path: str | int) -> InvalidError:
    """An error with a single problem."""
    return InvalidError([Problem(fault=fault, message=message, path=path)])


class Collector:
    """Gathers problems, so that one answer names them all."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, fault: Fault, message: str, *path: str | int) -> None:
        """Note one problem."""
        self.problems.append(Problem(fault=fault, message=message, path=path))

    def take(self, error: InvalidError, *path: str | int) -> None:
        """Note every problem of `error`, below `path`."""
        self.problems.extend(
            Problem(fault=each.fault, message=each.message, path=(*path, *each.path), blockers=each.blockers)
            for each in error.problems
        )

    def raise_any(self) -> None:
        """Raise InvalidError when anything was noted."""
        if self.problems:
            raise InvalidError(self.problems)
