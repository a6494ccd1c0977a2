"""iSCSI names as a user types them: `model.name.parse_name`."""

from lunaport.model.errors import InvalidError
from lunaport.model.name import NAME_BYTES_MAX, parse_name


def run(data: bytes) -> None:
    """Any text is a name of at most 223 bytes that parses to itself, or is refused with InvalidError."""
    text = data.decode("utf-8", "replace")
    try:
        name = parse_name(text)
    except InvalidError:
        return
    assert 0 < len(name.encode()) <= NAME_BYTES_MAX
    assert name.startswith(("iqn.", "eui.", "naa."))
    assert parse_name(name) == name
