"""What initiators did with the medium of a LUN, kept beside its file over restarts.

It counts for one insertion: when the medium is put in or taken out by the administrator, it is forgotten.
"""

import json
import threading
from collections.abc import Callable

import structlog

from lunaport.blockdev.device import DeviceError
from lunaport.storage.companion import TRAY, Companion

log = structlog.get_logger()


class Tray:
    """The record of the LUN on the file at `path`. Everything blocks but `insertion`."""

    def __init__(self, path: str, insertion: int) -> None:
        self._companion = Companion(path, TRAY)
        self._saving = threading.Lock()
        self.insertion = insertion

    def load(self) -> bool:
        """Whether an initiator has taken the medium out; not, where that cannot be read."""
        try:
            document = self._companion.load()
            return document is not None and json.loads(document) == {"insertion": self.insertion, "ejected": True}
        except (DeviceError, ValueError) as error:
            log.warning("whether the medium is out cannot be read: it is in", reason=str(error))
            return False

    def save(self, ejected: Callable[[], bool]) -> None:
        """Put down how it stands. Raises DeviceError.

        Several may come at once, in any order: it is asked when their turn has come, so the last one has it right.
        """
        with self._saving:
            document = json.dumps({"insertion": self.insertion, "ejected": True}).encode()
            self._companion.save(document if ejected() else None)
