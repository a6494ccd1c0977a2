"""`/metrics`, for Prometheus: the NAS as a whole (`lunaport_...`) and each target (`lunaport_target_...`).

The numbers are those the engine counts anyway and the page shows; asking for them starts nothing. What cannot be known
now, because the engine does not answer, is left out, and `lunaport_engine_up` says so. Latencies are a sample: their
histogram says how long commands take, `lunaport_commands_total` how many there are.
"""

import asyncio
import contextlib
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lunaport import __version__
from lunaport.api.v1_sessions import LATENCY_FIRST_US
from lunaport.service.errors import ServiceError
from lunaport.service.nas import Counters, EngineCounters, EngineStatus, IsnsServerReport, MemoryUse, Nas
from lunaport.service.volumes import VolumeReport

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
ISNS_STATES: Final = ("idle", "registering", "registered", "failing")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def metrics_router(nas: Nas) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Everything that is counted, in Prometheus's text format."""
        counters: EngineCounters | None = None
        status = await nas.engine_status()
        with contextlib.suppress(ServiceError):
            counters = await nas.counters() if status.available else None
        pids = {"control": os.getpid()} | (counters.pids if counters is not None else {})
        families = [
            *build_metrics(),
            *status_metrics(status),
            *(counter_metrics(counters) if counters is not None else ()),
            *volume_metrics(await nas.volumes() if status.available else ()),
            *isns_metrics(await nas.isns_servers()),
            *process_metrics(pids),
        ]
        text = await asyncio.to_thread(render, families)
        return Response(text, media_type=CONTENT_TYPE)

    return router


class _Given(Collector):
    """What was collected before."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return self._families


def render(families: Iterable[Metric]) -> bytes:
    """Metrics in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(families))
    return generate_latest(registry)


def build_metrics() -> Iterator[Metric]:
    """What runs here."""
    info = GaugeMetricFamily("lunaport_build_info", "Always 1; the labels tell.", labels=["version", "python"])
    info.add_metric([__version__, platform.python_version()], 1)
    yield info


def status_metrics(status: EngineStatus) -> Iterator[Metric]:
    """Whether the NAS serves."""
    yield GaugeMetricFamily("lunaport_engine_up", "Whether the iSCSI engine answers.", value=int(status.available))
    if not status.available:
        return
    yield GaugeMetricFamily("lunaport_targets", "Targets that are served.", value=status.targets)
    portals = GaugeMetricFamily("lunaport_portal_up", "Whether a portal listens.", labels=["portal"])
    for each in status.portals:
        host = f"[{each.host}]" if ":" in each.host else each.host
        portals.add_metric([f"{host}:{each.port}"], int(each.listening))
    yield portals


def counter_metrics(counters: EngineCounters) -> Iterator[Metric]:
    """What initiators did: in all, then each target."""
    yield from _counters("lunaport", {(): counters.total}, [])
    yield from memory_metrics(counters.memory)
    yield from _counters("lunaport_target", {(name,): each for name, each in counters.targets.items()}, ["target"])


def memory_metrics(memory: Mapping[str, MemoryUse]) -> Iterator[Metric]:
    """What is under way between initiators and disks."""
    labels = ["process"]
    held = GaugeMetricFamily("lunaport_data_under_way_bytes", "Data under way.", labels=labels)
    peak = GaugeMetricFamily("lunaport_data_under_way_peak_bytes", "The most so far.", labels=labels)
    limit = GaugeMetricFamily("lunaport_data_under_way_limit_bytes", "The most there may be.", labels=labels)
    for name, use in memory.items():
        held.add_metric([name], use.held_bytes)
        peak.add_metric([name], use.peak_bytes)
        limit.add_metric([name], use.limit_bytes)
    yield from (held, peak, limit)


def _counters(prefix: str, found: Mapping[tuple[str, ...], Counters], labels: list[str]) -> Iterator[Metric]:
    def counter(name: str, text: str, *more: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"{prefix}_{name}", text, labels=[*labels, *more])

    commands = counter("commands", "Commands that ended, by what they moved.", "kind")
    moved = counter("bytes", "Bytes that commands moved.", "kind")
    failed = counter("failed_commands", "Commands that did not end with GOOD, by SCSI status.", "status")
    conflicts = counter("reservation_conflicts", "Commands refused because of another's reservation.")
    digests = counter("digest_errors", "PDUs that arrived damaged.")
    management = counter("task_management", "Task management requests, by function.", "function")
    pings = counter("nop_timeouts", "Sessions closed because a ping was not answered.")
    logins = counter("logins", "Logins that succeeded.")
    refused = counter("refused_logins", "Logins that were refused, by reason.", "reason")
    sessions = GaugeMetricFamily(f"{prefix}_sessions", "Sessions now.", labels=labels)
    outstanding = GaugeMetricFamily(f"{prefix}_outstanding_commands", "Commands under way now.", labels=labels)
    latency = HistogramMetricFamily(
        f"{prefix}_command_seconds", "From a command's arrival to its status; a sample.", labels=labels
    )
    for key, each in found.items():
        names = list(key)
        for kind, count in (("read", each.reads), ("write", each.writes), ("other", each.others)):
            commands.add_metric([*names, kind], count)
        moved.add_metric([*names, "read"], each.bytes_read)
        moved.add_metric([*names, "write"], each.bytes_written)
        for family, counts in ((failed, each.failures), (management, each.task_management),
                               (refused, each.refused_logins)):  # fmt: skip
            for word, count in counts.items():
                family.add_metric([*names, word], count)
        conflicts.add_metric(names, each.failures.get("reservation_conflict", 0))
        digests.add_metric(names, each.digest_errors)
        pings.add_metric(names, each.ping_timeouts)
        logins.add_metric(names, each.logins)
        sessions.add_metric(names, each.sessions)
        outstanding.add_metric(names, each.outstanding)
        latency.add_metric(names, buckets(each.latency), each.latency_s)
    yield from (commands, moved, failed, conflicts, digests, management, pings, logins, refused, sessions, outstanding)
    yield latency


def buckets(latency: tuple[int, ...]) -> list[tuple[str, float]]:
    """The classes of a sample as Prometheus has them: upper bound in seconds, and how many took no longer."""
    found: list[tuple[str, float]] = []
    below = 0
    for number, count in enumerate(latency or (0,)):
        below += count
        last = number >= len(latency) - 1
        found.append(("+Inf" if last else f"{LATENCY_FIRST_US * 2**number / 1e6:.9g}", below))
    return found


def volume_metrics(volumes: Iterable[VolumeReport]) -> Iterator[Metric]:
    """How full the volumes are."""
    up = GaugeMetricFamily("lunaport_volume_up", "Whether a volume's directory answers.", labels=["volume"])
    size = GaugeMetricFamily("lunaport_volume_size_bytes", "A volume's file system.", labels=["volume"])
    free = GaugeMetricFamily("lunaport_volume_free_bytes", "Free in it.", labels=["volume"])
    used = GaugeMetricFamily("lunaport_volume_used_bytes", "What the volume's files occupy.", labels=["volume"])
    promised = GaugeMetricFamily("lunaport_volume_promised_bytes", "The sizes of its disks.", labels=["volume"])
    for each in volumes:
        name = [each.volume.name]
        up.add_metric(name, int(each.usage is not None))
        promised.add_metric(name, each.committed_bytes)
        if each.usage is not None:
            size.add_metric(name, each.usage.total_bytes)
            free.add_metric(name, each.usage.free_bytes)
            used.add_metric(name, each.usage.used_bytes)
    yield from (up, size, free, used, promised)


def isns_metrics(servers: Iterable[IsnsServerReport]) -> Iterator[Metric]:
    """How it stands with every iSNS server: 1 for the state that it is in."""
    states = GaugeMetricFamily("lunaport_isns_state", "1 for the state it is in.", labels=["server", "state"])
    for server in servers:
        for state in ISNS_STATES:
            states.add_metric([server.address, state], int(server.state == state))
    yield states


def process_metrics(pids: Mapping[str, int]) -> Iterator[Metric]:
    """What the processes of the NAS take; one that has just ended is left out."""
    cpu = CounterMetricFamily("lunaport_process_cpu_seconds", "User and system CPU time.", labels=["process"])
    memory = GaugeMetricFamily("lunaport_process_resident_bytes", "Resident memory.", labels=["process"])
    files = GaugeMetricFamily("lunaport_process_open_files", "Open file descriptors.", labels=["process"])
    start = GaugeMetricFamily("lunaport_process_start_seconds", "Started, in seconds since 1970.", labels=["process"])
    booted = _boot_time()
    for name, pid in pids.items():
        folder = Path(f"/proc/{pid}")
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            resident = int((folder / "statm").read_text().split()[1]) * _PAGE_BYTES
            count = sum(1 for _ in (folder / "fd").iterdir())
        except OSError:
            continue
        cpu.add_metric([name], (int(fields[11]) + int(fields[12])) / _TICKS)
        start.add_metric([name], booted + int(fields[19]) / _TICKS)
        memory.add_metric([name], resident)
        files.add_metric([name], count)
    yield from (cpu, memory, files, start)


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
