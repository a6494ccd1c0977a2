"""Times as people type them: from now on, or with their zone."""

import re
from datetime import UTC, datetime, timedelta

from lunaport.cli.errors import CliError, Exit

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_until(text: str, option: str) -> str:
    """`30m`, `2h`, `7d` from now on, or a time with its zone, as API v1 takes it. Raises CliError."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is not None:
        return (datetime.now(UTC) + timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - it stands for a time without a zone, which is refused
    if moment.tzinfo is None:
        raise CliError(Exit.USAGE, f"{option}: {text} is no time; right would be 30m, 2h, 7d or 2030-01-31T12:00:00Z")
    return moment.isoformat()
