"""The control process with an engine double: `python -m tests.unit.runtime.control_process OPTIONS`."""

import os
import sys

from lunaport.runtime.control import ADMIN_PASSWORD_VARIABLE, parse_config, run
from lunaport.runtime.ending import end
from tests.unit.service.engine_double import EngineDouble

if __name__ == "__main__":
    password = os.environ.pop(ADMIN_PASSWORD_VARIABLE, "")
    end(run(parse_config(sys.argv[1]), lambda *_: EngineDouble(), password))
