"""The machine: who we are to it, its clock, how much it lets us open."""

import ctypes
import os
import resource
import time
from collections.abc import Callable, Iterator
from typing import Final

from lunaport.runtime.doctor.findings import Finding, error, ok, warning
from lunaport.runtime.settings import Settings

BUILT_AT: Final = 1_795_000_000
"""November 2026: no clock that is right shows less."""
_TIMEX_BYTES: Final = 512
"""More than struct timex (adjtimex(2)); all zero asks and changes nothing."""
_TIME_ERROR: Final = 5
DESCRIPTORS_SPARE: Final = 512
"""Beside one for each session and one for each disk: listening sockets, logs, connections that do not log in."""


def check_user(user_id: Callable[[], int] = os.geteuid) -> Iterator[Finding]:
    """Root is more than the NAS needs."""
    if user_id() == 0:
        yield warning(
            "user",
            "this is root, which is more than Lunaport needs",
            "run it as a user of its own, as the systemd unit does (docs/install.md); ports below 1024 need only the"
            " capability CAP_NET_BIND_SERVICE",
        )
    else:
        yield ok("user", f"user {user_id()}, not root")


def is_synchronized() -> bool | None:
    """Whether the kernel thinks that something keeps its clock right; None: it does not say."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR


def check_clock(
    newest_entry: float,
    *,
    clock: Callable[[], float] = time.time,
    synchronized: Callable[[], bool | None] = is_synchronized,
) -> Iterator[Finding]:
    """Tokens, blocks, old secrets, trash and audit log go by the wall clock. `newest_entry`: when the latter ended."""
    now = clock()
    if now < BUILT_AT:
        yield error(
            "clock", f"the clock shows {_day(now)}", "set it, and let chrony or systemd-timesyncd keep it right"
        )
    elif now < newest_entry - 60:
        yield warning(
            "clock",
            f"the clock shows {_day(now)}, but the audit log goes to {_day(newest_entry)}",
            "it was set back, or was wrong before: see to it, for tokens and blocks end by it",
        )
    elif synchronized() is False:
        yield warning(
            "clock",
            f"the clock shows {_day(now)}, and nothing keeps it right",
            "install chrony or systemd-timesyncd",
        )
    else:
        yield ok("clock", f"the clock shows {_day(now)}")


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def check_limits(settings: Settings) -> Iterator[Finding]:
    """A session and a disk are a descriptor each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.sessions + DESCRIPTORS_SPARE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        yield warning(
            "limits",
            f"{hard} open files are allowed; {settings.sessions} sessions need {wanted}, and each disk one more",
            "raise it (LimitNOFILE= in the systemd unit, `ulimit -Hn`), or lower the setting `sessions`",
        )
    else:
        yield ok("limits", f"{'any number of' if hard == resource.RLIM_INFINITY else hard} open files are allowed")
