"""What role a request needs, by its method and path. What is not listed needs an administrator for any change.

Looking takes a viewer, but for users, the audit log and the configuration as a whole. Whose token may be seen or
removed is decided where tokens are.
"""

from typing import Final

from lunaport.api.answers import NAS_PREFIX
from lunaport.model.user import Role

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_FOR_ADMINS: Final = ("/api/v1/users", "/api/v1/audit", "/api/v1/config")
_CHANGED_BY_VIEWERS: Final = ("/api/v1/me", "/api/v1/tokens")
"""A viewer's own: his password and his tokens."""
_CHANGED_BY_OPERATORS: Final = (f"{NAS_PREFIX}iscsi_shares/api", "/api/v1/targets", "/api/v1/sessions", "/api/v1/trash")


def needed_role(method: str, path: str) -> Role:
    """The least role that may send this request."""
    if _is_below(path, _FOR_ADMINS):
        return Role.ADMIN
    if method in SAFE_METHODS or _is_below(path, _CHANGED_BY_VIEWERS):
        return Role.VIEWER
    return Role.OPERATOR if _is_below(path, _CHANGED_BY_OPERATORS) else Role.ADMIN


def _is_below(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)
