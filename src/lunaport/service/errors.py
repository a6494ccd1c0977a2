"""What an action answers when it cannot be done.

ServiceError
 ├─ NotFoundError        there is no such thing
 ├─ ConflictError        something is in the way
 ├─ ForbiddenError       this caller may not do that
 ├─ StaleError           the thing has changed since the caller read it
 ├─ EngineFailedError    the engine could not do it: a file could not be made, grown or moved
 └─ UnavailableError     the engine does not answer; try again

A value that is wrong in itself is `model.errors.InvalidError`. Every one holds problems, so that
interfaces answer all alike.
"""

from collections.abc import Sequence

from lunaport.model.errors import Fault, Path, Problem


class ServiceError(Exception):
    """Base of what actions raise. Holds at least one problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(each.message for each in self.problems)


class NotFoundError(ServiceError):
    """There is no such thing."""

    def __init__(self, what: str, key: str | int, path: Path) -> None:
        super().__init__(Problem(fault=Fault.NOT_FOUND, message=f"there is no {what} {key}", path=path))


class ConflictError(ServiceError):
    """Something is in the way; `blockers` names it."""

    def __init__(self, fault: Fault, message: str, path: Path, blockers: Sequence[str] = ()) -> None:
        super().__init__(Problem(fault=fault, message=message, path=path, blockers=tuple(blockers)))


class StaleError(ServiceError):
    """The thing has changed since the caller read it."""

    def __init__(self) -> None:
        super().__init__(Problem(fault=Fault.STALE, message="it has changed since you read it; read it again"))


class ForbiddenError(ServiceError):
    """This caller may not do that."""

    def __init__(self, fault: Fault, message: str, path: Path = ()) -> None:
        super().__init__(Problem(fault=fault, message=message, path=path))


class EngineFailedError(ServiceError):
    """The engine could not do it."""

    def __init__(self, message: str) -> None:
        super().__init__(Problem(fault=Fault.ENGINE_FAILED, message=message))


class UnavailableError(ServiceError):
    """The engine does not answer."""

    def __init__(self, message: str = "the iSCSI engine is starting; try again in a moment") -> None:
        super().__init__(Problem(fault=Fault.ENGINE_UNAVAILABLE, message=message))
