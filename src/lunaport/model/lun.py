"""A logical unit as it is kept: where it lies, how large it is, and what kind of disk it shows.

`merge_luns` is where the LUNs of a request meet those that are stored. Most of the kind is chosen once: what an
initiator has seen of a disk must not become another disk under it. Sizes may grow, and CHANGEABLE may change. Pure; the
volume and its room are checked above.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from lunaport.model.errors import Collector, Fault, InvalidError, Path
from lunaport.model.size import format_size, parse_size
from lunaport.model.volume import DEFAULT_VOLUME

LUN_MAX: Final = 16383
LUNS_MAX: Final = 256
"""Of one target."""
CHANGEABLE: Final = ("read_only", "write_cache")
"""What of the kind of a LUN may change while it is used."""
BLOCK_SIZES: Final = (512, 4096)
PHYSICAL_BLOCK_SIZES: Final = (512, 4096, 8192, 16384, 32768, 65536)
VENDOR_CHARS_MAX: Final = 8
PRODUCT_CHARS_MAX: Final = 16
SERIAL_CHARS_MAX: Final = 36


class LunState(StrEnum):
    """Where a LUN stands in its life. Only ACTIVE ones are served."""

    CREATING = "creating"
    ACTIVE = "active"
    TRASHED = "trashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LunKind:
    """What kind of disk initiators see. Chosen when the LUN is made, and kept but for CHANGEABLE."""

    block_size_bytes: int = 512
    physical_block_size_bytes: int = 4096
    read_only: bool = False
    removable: bool = False
    write_cache: bool = True
    """False: every write is durable before it is answered."""
    unmap: bool = True
    """False: it looks fully provisioned, and takes no UNMAP."""
    vendor: str = "LUNAPORT"
    product: str = "DISK"
    serial: str = ""
    """Empty: the uuid."""
    encrypted: bool = False
    """Its data lies encrypted on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lun:
    """A logical unit on a thin file. `file` is relative to the volume's directory."""

    lun: int
    uuid: str
    volume: str
    file: str
    size_bytes: int
    state: LunState = LunState.ACTIVE
    key: str = field(default="", repr=False)
    """Encrypts the key its data is encrypted with: hexadecimal digits. Empty: the data is not encrypted."""
    kind: LunKind = field(default_factory=LunKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class LunChange:
    """What a request says about a LUN; None: as it is, or when there is nothing yet, the default."""

    lun: int | None = None
    """None: the target's first, or 0."""
    size: str | int | None = None
    volume: str | None = None
    kind: dict[str, Any] = field(default_factory=dict)
    """Fields of LunKind to their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LunDraft:
    """A valid LUN before it has a file. The paths are where its size and volume stood in the request."""

    lun: int
    size_bytes: int
    volume: str
    kind: LunKind = field(default_factory=LunKind)
    size_path: Path = ("size",)
    volume_path: Path = ("volume",)


def merge_luns(
    current: Sequence[Lun],
    changes: Sequence[LunChange],
    place: Callable[[int, str], Path],
    problems: Collector,
    *,
    adds: bool = False,
) -> tuple[LunDraft, ...]:
    """`current` (empty: there is no target yet) as `changes` make them, in the order of their numbers.

    `place`: the path of a field of the change with an index. `adds`: numbers that there are not yet become new LUNs.
    What is wrong is noted in `problems`.
    """
    stored = {lun.lun: lun for lun in current}
    first = current[0].lun if current else 0
    drafts = {
        lun.lun: LunDraft(lun=lun.lun, size_bytes=lun.size_bytes, volume=lun.volume, kind=lun.kind) for lun in current
    }
    seen: set[int] = set()
    for index, change in enumerate(changes):
        number = first if change.lun is None else change.lun
        if number in seen:
            problems.add(Fault.LUNS_INVALID, f"is {number}, which another LUN of the list has", *place(index, "lun"))
        elif current and number not in stored and not adds:
            known = ", ".join(map(str, stored))
            problems.add(
                Fault.LUNS_INVALID,
                f"is {number}, but this target has LUN {known}; add it first, by POST to the target's luns",
                *place(index, "lun"),
            )
        else:
            drafts[number] = _merge(stored.get(number), number, change, partial(place, index), problems)
        seen.add(number)
    if len(drafts) > LUNS_MAX:
        problems.add(Fault.LUNS_INVALID, f"would be {len(drafts)}; a target has {LUNS_MAX} at most", "luns")
    return tuple(drafts[number] for number in sorted(drafts))


def free_number(current: Sequence[Lun]) -> int:
    """The lowest number that no LUN of a target has."""
    taken = {lun.lun for lun in current}
    return next(number for number in range(LUN_MAX + 1) if number not in taken)


def _merge(
    current: Lun | None, number: int, change: LunChange, place: Callable[[str], Path], problems: Collector
) -> LunDraft:
    kind = _merge_kind(current, change, place, problems)
    return LunDraft(
        lun=number,
        size_bytes=_merge_size(current, change, kind.block_size_bytes, place("size"), problems),
        volume=change.volume or (current.volume if current else DEFAULT_VOLUME),
        kind=kind,
        size_path=place("size"),
        volume_path=place("volume"),
    )


def _merge_size(current: Lun | None, change: LunChange, block_size_bytes: int, path: Path, problems: Collector) -> int:
    if change.size is None:
        if current is None:
            problems.add(Fault.MISSING_FIELD, "is missing; right would be a size such as 10G", *path)
            return 0
        return current.size_bytes
    try:
        size_bytes = -(-parse_size(change.size) // block_size_bytes) * block_size_bytes
    except InvalidError as error:
        # `parse_size` calls what it looks at `size`, whatever the request does.
        for problem in error.problems:
            problems.add(problem.fault, problem.message, *path)
        return 0
    if current is not None and size_bytes < current.size_bytes:
        problems.add(
            Fault.SIZE_SHRINKS,
            f"is {format_size(size_bytes)}, smaller than the {format_size(current.size_bytes)} of now; "
            "a disk in use cannot shrink without losing data, so only the same or a larger size is accepted",
            *path,
        )
    return size_bytes


def _merge_kind(current: Lun | None, change: LunChange, place: Callable[[str], Path], problems: Collector) -> LunKind:
    if current is None:
        kind = LunKind(**change.kind)
        for name, reason in _kind_problems(kind):
            problems.add(Fault.LUN_KIND_INVALID, reason, *place(name))
        return kind
    for name, value in change.kind.items():
        now = getattr(current.kind, name)
        if value != now and name not in CHANGEABLE:
            problems.add(
                Fault.LUN_KIND_FIXED,
                f"is {now!r} since the LUN was made and cannot change; leave it out or repeat it",
                *place(name),
            )
    return replace(current.kind, **{name: value for name, value in change.kind.items() if name in CHANGEABLE})


def _kind_problems(kind: LunKind) -> list[tuple[str, str]]:
    found = []
    if kind.block_size_bytes not in BLOCK_SIZES:
        found.append(("block_size_bytes", f"is not one of {_listed(BLOCK_SIZES)}"))
    if kind.physical_block_size_bytes not in PHYSICAL_BLOCK_SIZES:
        found.append(("physical_block_size_bytes", f"is not one of {_listed(PHYSICAL_BLOCK_SIZES)}"))
    elif kind.physical_block_size_bytes < kind.block_size_bytes:
        found.append(("physical_block_size_bytes", "is smaller than a block of the disk"))
    for name, chars_max, may_be_empty in (
        ("vendor", VENDOR_CHARS_MAX, False),
        ("product", PRODUCT_CHARS_MAX, False),
        ("serial", SERIAL_CHARS_MAX, True),
    ):
        text = getattr(kind, name)
        if not text and may_be_empty:
            continue
        if not (text.isascii() and text.isprintable() and len(text.strip()) > 0 and len(text) <= chars_max):
            found.append((name, f"is not 1 to {chars_max} printable ASCII characters"))
    return found


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


KIND_FIELDS: Final = tuple(each.name for each in fields(LunKind))
