"""Who is asking, for whatever is carried out in the same task.

A context variable, and not a parameter of every use case: only the guard knows it and only the audit log asks.
"""

from contextvars import ContextVar
from typing import Final

from lunaport.model.user import NAS_ITSELF, Actor

CURRENT: Final[ContextVar[Actor]] = ContextVar("actor", default=NAS_ITSELF)
"""The one who asks; the NAS itself where nobody does."""
SCOPE_KEY: Final = "lunaport.actor"
"""Where an ASGI scope holds who is known already, by the login of the page: no client can set that."""
