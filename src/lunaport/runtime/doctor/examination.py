"""`lunaport doctor`: looks at what the NAS needs from its machine, while it runs or while it does not.

It changes nothing: what it has to try out it tries with files of its own that have no name. It needs no password. The
checks are functions that yield findings; none raises for the sake of what it looks at.
"""

from collections.abc import Iterator

from lunaport.runtime.doctor.certificate import check_certificate
from lunaport.runtime.doctor.configuration import read_configuration
from lunaport.runtime.doctor.files import check_data_directory, check_strays, check_volume, is_running
from lunaport.runtime.doctor.findings import Finding
from lunaport.runtime.doctor.ports import check_ports, check_running
from lunaport.runtime.doctor.system import check_clock, check_limits, check_user
from lunaport.runtime.settings import Settings


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which they are worth reading."""
    running = is_running(settings.data_dir)
    yield from check_user()
    yield from check_data_directory(settings.data_dir)
    configuration, findings = read_configuration(settings.data_dir)
    yield from findings
    for name, path in configuration.volumes.items():
        yield from check_volume(name, path)
        yield from check_strays(name, path, configuration.disks)
    yield from check_ports(settings, configuration, running=running)
    if running:
        yield from check_running(settings)
    yield from check_certificate(settings)
    yield from check_clock(configuration.newest_entry)
    yield from check_limits(settings)
