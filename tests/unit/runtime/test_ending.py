"""The end of a process."""

import subprocess
import sys

CODE = """
import atexit, logging, sys
from lunaport.runtime.ending import end
atexit.register(print, "taken apart")
logging.basicConfig(stream=sys.stderr)
logging.warning("last words")
print("said")
{before}
end(3)
"""


def ended(before: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_what_was_said_is_there_and_nothing_else_happens() -> None:
    code, out, err = ended()
    assert (code, out) == (3, "said\n")
    assert "last words" in err


def test_streams_that_are_closed() -> None:
    assert ended("sys.stdout.close()")[0] == 3
