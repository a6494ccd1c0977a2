"""Discovery: what SendTargets is answered with (RFC 7143 appendix C).

Which targets an initiator may see is the caller's to know. Nothing here resolves or checks addresses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lunaport.iscsi.errors import RemoteProtocolError, quoted
from lunaport.iscsi.limits import SEND_TARGETS_BYTES_MAX
from lunaport.iscsi.text import parse_name, serialize_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """An address of a target: IPv4, or IPv6 without brackets."""

    host: str
    port: int
    portal_group_tag: int = 1

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port},{self.portal_group_tag}"


Targets = Iterable[tuple[str, Sequence[Portal]]]


def send_targets(query: str, current_target: str, targets: Targets) -> bytes:
    """Return the TargetName and TargetAddress lines that answer SendTargets=`query`.

    `current_target` is the target of a normal session, empty in a discovery session. A name that is not among `targets`
    gets an empty answer, as one that the initiator may not see does. Raises RemoteProtocolError for a query that the
    session may not make, TextError for what is no name.
    """
    wanted = _wanted(query, current_target)
    parts = []
    size = 0
    for name, portals in targets:
        if wanted not in ("", name):
            continue
        pairs = [("TargetName", name)]
        pairs += [("TargetAddress", str(portal)) for portal in portals]
        part = serialize_text(pairs)
        size += len(part)
        if size > SEND_TARGETS_BYTES_MAX:
            break
        parts.append(part)
    return b"".join(parts)


def _wanted(query: str, current_target: str) -> str:
    """Return the one name asked for, empty for all."""
    if not current_target:
        if not query:
            raise RemoteProtocolError("SendTargets of the current target in a session without one")
        return "" if query == "All" else parse_name(query)
    # Appendix C leaves All to discovery sessions. Some ask for it here too; they get the one target that is theirs.
    if query not in ("", "All") and parse_name(query) != current_target:
        raise RemoteProtocolError(
            f"SendTargets={quoted(query)} in a session with a target, which may ask for its own only"
        )
    return current_target
