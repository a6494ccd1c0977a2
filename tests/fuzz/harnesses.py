"""The harnesses by name. Each raises nothing, whatever it is given; its docstring is what it asserts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.fuzz import framing, full_feature, isns, login, names, scsi, text

CORPUS: Final = Path(__file__).parent / "corpus"
HARNESSES: Final[Mapping[str, Callable[[bytes], None]]] = MappingProxyType(
    {
        "framing": framing.run,
        "text": text.run,
        "login": login.run,
        "full_feature": full_feature.run,
        "names": names.run,
        "scsi": scsi.run,
        "isns": isns.run,
    }
)
