"""The reference of the metrics, from the families that `/metrics` answers."""

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric

from lunaport.api import metrics
from lunaport.service.nas import Counters, EngineCounters, EngineStatus
from manual.text import cell, code, table

HEAD = """# Reference of the metrics

What `/metrics` answers, as the NAS describes it. How Prometheus comes to it, the dashboard and the alerts:
[Metrics](metrics.md). Counters begin at 0 when their process starts.

"""


def metrics_page() -> str:
    """The page."""
    whole = [*metrics.build_metrics(), *metrics.status_metrics(EngineStatus(available=True)), *counters("lunaport_")]
    other = [
        *metrics.volume_metrics(()),
        *metrics.isns_metrics(()),
        *metrics.process_metrics({}),
    ]
    return (
        HEAD
        + "## The NAS\n\n" + listed([*whole, *other])
        + "## Each target\n\nA target that nobody has used since the start is left out.\n\n"
        + listed(counters("lunaport_target_"))
    )  # fmt: skip


def counters(prefix: str) -> Iterator[Metric]:
    """What initiators did, of the NAS or of each target."""
    each = Counters()
    for family in metrics.counter_metrics(EngineCounters(total=each, targets={"iqn.2026-11.org.example:a": each})):
        if family.name.startswith("lunaport_target_") == (prefix == "lunaport_target_"):
            yield family


def listed(families: Iterable[Metric]) -> str:
    """A table of families."""
    rows = [
        (code(full_name(each)), each.type, ", ".join(code(label) for label in labels(each)), cell(each.documentation))
        for each in families
    ]
    return table(("name", "type", "labels", "meaning"), rows)


def full_name(family: Metric) -> str:
    """As Prometheus knows it: counters end in _total."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels(family: Metric) -> list[str]:
    """The names of its labels, but for the bounds of histograms."""
    return list(getattr(family, "_labelnames", ()))
