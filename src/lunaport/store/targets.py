"""Statements on targets, their LUNs and CHAP. Each function runs inside the caller's transaction."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from lunaport.model.chap import Chap, Credential
from lunaport.model.lun import Lun, LunState
from lunaport.model.target import Target
from lunaport.model.trash import TrashedTarget
from lunaport.store import rows
from lunaport.store.key import SecretBox
from lunaport.store.tables import CHAP, CREDENTIAL, LUN, REVISION, TARGET

CREATING, ACTIVE, TRASHED = LunState.CREATING.value, LunState.ACTIVE.value, LunState.TRASHED.value


def next_revision(connection: Connection) -> int:
    """Raise the configuration's counter by one and return it."""
    statement = update(REVISION).values(value=REVISION.c.value + 1).returning(REVISION.c.value)
    return int(connection.execute(statement).scalar_one())


def _luns(connection: Connection, target_ids: Select[tuple[int]], state: str) -> Mapping[int, list[RowMapping]]:
    """Those in the state of their target: a LUN that is being added to an active one is none of it yet."""
    found: dict[int, list[RowMapping]] = defaultdict(list)
    wanted = LUN.c.target_id.in_(target_ids) & (LUN.c.state == state)
    statement = select(LUN).where(wanted).order_by(LUN.c.target_id, LUN.c.lun)
    for row in connection.execute(statement).mappings():
        found[row["target_id"]].append(row)
    return found


def _chap(connection: Connection, box: SecretBox, target_ids: Select[tuple[int]]) -> Mapping[int, dict[str, Chap]]:
    found: dict[int, dict[str, Chap]] = defaultdict(dict)
    for row in connection.execute(select(CHAP).where(CHAP.c.target_id.in_(target_ids))).mappings():
        found[row["target_id"]][row["direction"]] = rows.chap_of(row, box, row["target_id"])
    return found


def _credentials(
    connection: Connection, box: SecretBox, target_ids: Select[tuple[int]]
) -> Mapping[int, list[Credential]]:
    found: dict[int, list[Credential]] = defaultdict(list)
    statement = select(CREDENTIAL).where(CREDENTIAL.c.target_id.in_(target_ids)).order_by(CREDENTIAL.c.number)
    for row in connection.execute(statement).mappings():
        found[row["target_id"]].append(rows.credential_of(row, box))
    return found


def read(
    connection: Connection,
    box: SecretBox,
    *,
    state: str = ACTIVE,
    target_id: int | None = None,
    after_id: int = 0,
    count_max: int | None = None,
    name: str | None = None,
) -> list[Target]:
    """Targets in this state, in the order of their ids."""
    ids = select(TARGET.c.id).where(TARGET.c.state == state, TARGET.c.id > after_id).order_by(TARGET.c.id)
    if target_id is not None:
        ids = ids.where(TARGET.c.id == target_id)
    if name is not None:
        ids = ids.where(TARGET.c.name == name)
    if count_max is not None:
        ids = ids.limit(count_max)
    luns, chap, credentials = (
        _luns(connection, ids, state),
        _chap(connection, box, ids),
        _credentials(connection, box, ids),
    )
    statement = select(TARGET).where(TARGET.c.id.in_(ids)).order_by(TARGET.c.id)
    return [
        rows.target_of(row, luns.get(row["id"], ()), chap.get(row["id"], {}), credentials.get(row["id"], ()), box)
        for row in connection.execute(statement).mappings()
    ]


def one(connection: Connection, box: SecretBox, target_id: int) -> Target:
    """The active target with this id, which is there."""
    (target,) = read(connection, box, target_id=target_id)
    return target


def name_holder(connection: Connection, name: str) -> int | None:
    """The id of the target that holds the name."""
    statement = select(TARGET.c.id).where(TARGET.c.name == name, TARGET.c.state != TRASHED)
    return connection.execute(statement).scalar_one_or_none()


def isns_targets(connection: Connection) -> list[tuple[str, tuple[int, ...]]]:
    """Name and portal groups of every active target that iSNS servers are told of, in the order of their ids."""
    statement = select(TARGET.c.name, TARGET.c.portal_groups).where(TARGET.c.state == ACTIVE, TARGET.c.isns)
    return [(name, tuple(json.loads(groups))) for name, groups in connection.execute(statement.order_by(TARGET.c.id))]


def add(connection: Connection, box: SecretBox, target: Target) -> Target:
    """Add a target in creation under a new id."""
    values = {
        **rows.target_values(target),
        "state": CREATING,
        "created_at": target.created_at,
        "revision": next_revision(connection),
    }
    target_id = int(connection.execute(insert(TARGET).values(values).returning(TARGET.c.id)).scalar_one())
    for lun in target.luns:
        connection.execute(insert(LUN).values({**rows.lun_row(target_id, lun, box), "state": CREATING}))
    _put_chap(connection, box, target_id, target)
    (added,) = read(connection, box, state=CREATING, target_id=target_id)
    return added


def _put_chap(connection: Connection, box: SecretBox, target_id: int, target: Target) -> None:
    connection.execute(delete(CHAP).where(CHAP.c.target_id == target_id))
    for row in rows.chap_rows(target.one_way, target.mutual, box, target_id):
        connection.execute(insert(CHAP).values(target_id=target_id, **row))
    connection.execute(delete(CREDENTIAL).where(CREDENTIAL.c.target_id == target_id))
    for row in rows.credential_rows(target.credentials, box, target_id):
        connection.execute(insert(CREDENTIAL).values(row))


def _set_state(connection: Connection, target_id: int, before: str, after: str, trashed_at: float | None) -> None:
    changed = connection.execute(
        update(TARGET)
        .where(TARGET.c.id == target_id, TARGET.c.state == before)
        .values(state=after, trashed_at=trashed_at, revision=next_revision(connection))
    ).rowcount
    if changed != 1:
        raise LookupError(f"there is no target {target_id} that is {before}")
    connection.execute(update(LUN).where(LUN.c.target_id == target_id).values(state=after))


def activate(connection: Connection, box: SecretBox, target_id: int) -> Target:
    """From in creation to active."""
    _set_state(connection, target_id, CREATING, ACTIVE, None)
    return one(connection, box, target_id)


def replace(connection: Connection, box: SecretBox, target: Target, unfinished: Collection[str]) -> Target:
    """Store new values for an active target; its LUNs keep their files.

    Those in creation that it has become active, and those in `unfinished` are in creation again.
    """
    changed = connection.execute(
        update(TARGET)
        .where(TARGET.c.id == target.id, TARGET.c.state == ACTIVE)
        .values({**rows.target_values(target), "revision": next_revision(connection)})
    ).rowcount
    if changed != 1:
        raise LookupError(f"there is no active target {target.id}")
    mine = (LUN.c.target_id == target.id) & (LUN.c.state != TRASHED)
    connection.execute(update(LUN).where(mine, LUN.c.uuid.in_(unfinished)).values(state=CREATING))
    for lun in target.luns:
        connection.execute(
            update(LUN).where(mine, LUN.c.uuid == lun.uuid).values({**rows.lun_values(lun), "state": ACTIVE})
        )
    _put_chap(connection, box, target.id, target)
    return one(connection, box, target.id)


def reserve_luns(connection: Connection, box: SecretBox, target_id: int, luns: Sequence[Lun]) -> None:
    """Add LUNs in creation to an active target."""
    next_revision(connection)
    for lun in luns:
        connection.execute(insert(LUN).values({**rows.lun_row(target_id, lun, box), "state": CREATING}))


def unfinished_luns(connection: Connection, box: SecretBox) -> Sequence[tuple[int, Lun]]:
    """LUNs in creation of active targets, with the ids of these."""
    statement = select(LUN).join(TARGET, LUN.c.target_id == TARGET.c.id)
    wanted = statement.where(TARGET.c.state == ACTIVE, LUN.c.state == CREATING).order_by(LUN.c.uuid)
    return [(row["target_id"], rows.lun_of(row, box)) for row in connection.execute(wanted).mappings()]


def forget_lun(connection: Connection, uuid: str) -> None:
    """Drop a LUN in creation."""
    next_revision(connection)
    connection.execute(delete(LUN).where(LUN.c.uuid == uuid, LUN.c.state == CREATING))


def trash_lun(connection: Connection, box: SecretBox, target_id: int, uuid: str, file: str, now: float) -> Target:
    """Take a LUN from an active target; in the trash it is a target of the same name with this LUN only."""
    target = one(connection, box, target_id)
    values = {
        **rows.target_values(target),
        "state": TRASHED,
        "created_at": target.created_at,
        "trashed_at": now,
        "revision": next_revision(connection),
    }
    trash_id = connection.execute(insert(TARGET).values(values).returning(TARGET.c.id)).scalar_one()
    changed = connection.execute(
        update(LUN)
        .where(LUN.c.uuid == uuid, LUN.c.target_id == target_id, LUN.c.state == ACTIVE)
        .values(target_id=trash_id, state=TRASHED, trash_file=file)
    ).rowcount
    if changed != 1:
        raise LookupError(f"target {target_id} has no LUN {uuid}")
    return _stamp(connection, box, target_id)


def shift_trash(connection: Connection, by_s: float, latest: float) -> None:
    """Date what is in the trash later."""
    later = func.min(TARGET.c.trashed_at + by_s, latest)
    connection.execute(update(TARGET).where(TARGET.c.trashed_at.is_not(None)).values(trashed_at=later))


def restore_lun(connection: Connection, box: SecretBox, target_id: int, uuid: str) -> Target:
    """Undo `trash_lun` while the file has not been moved."""
    trash_id = connection.execute(select(LUN.c.target_id).where(LUN.c.uuid == uuid)).scalar_one()
    back = {"target_id": target_id, "state": ACTIVE, "trash_file": ""}
    connection.execute(update(LUN).where(LUN.c.uuid == uuid, LUN.c.state == TRASHED).values(back))
    forget(connection, trash_id)
    return _stamp(connection, box, target_id)


def _stamp(connection: Connection, box: SecretBox, target_id: int) -> Target:
    changed = update(TARGET).where(TARGET.c.id == target_id).values(revision=next_revision(connection))
    connection.execute(changed)
    return one(connection, box, target_id)


def trash(connection: Connection, target_id: int, files: Mapping[str, str], now: float) -> None:
    """From active to trashed, with the places its files shall be moved to."""
    _set_state(connection, target_id, ACTIVE, TRASHED, now)
    for uuid, file in files.items():
        connection.execute(update(LUN).where(LUN.c.uuid == uuid).values(trash_file=file))


def begin_restore(
    connection: Connection, box: SecretBox, target_id: int, files: Mapping[str, str], name: str, like: Target | None
) -> None:
    """Its files are to be moved from `files`, where they will be, to where they are now."""
    values = {**(rows.target_values(like) if like is not None else {}), "name": name}
    changed = connection.execute(
        update(TARGET)
        .where(TARGET.c.id == target_id, TARGET.c.state == TRASHED)
        .values(**values, revision=next_revision(connection))
    ).rowcount
    if changed != 1:
        raise LookupError(f"there is no target {target_id} in the trash")
    for uuid, file in files.items():
        connection.execute(
            update(LUN).where(LUN.c.uuid == uuid, LUN.c.trash_file == "").values(trash_file=LUN.c.file, file=file)
        )
    if like is not None:
        _put_chap(connection, box, target_id, like)


def restore(connection: Connection, box: SecretBox, target_id: int) -> Target:
    """From trashed, with no file moved, back to active."""
    _set_state(connection, target_id, TRASHED, ACTIVE, None)
    connection.execute(update(LUN).where(LUN.c.target_id == target_id).values(trash_file=""))
    return one(connection, box, target_id)


def finish_trash(connection: Connection, target_id: int) -> None:
    """The files have been moved."""
    connection.execute(
        update(LUN)
        .where(LUN.c.target_id == target_id, LUN.c.state == TRASHED, LUN.c.trash_file != "")
        .values(file=LUN.c.trash_file, trash_file="")
    )


def forget(connection: Connection, target_id: int) -> None:
    """Drop a target that is not active, with all that belongs to it."""
    connection.execute(delete(TARGET).where(TARGET.c.id == target_id, TARGET.c.state != ACTIVE))


def trashed(connection: Connection) -> Sequence[TrashedTarget]:
    """Everything in the trash."""
    ids = select(TARGET.c.id).where(TARGET.c.state == TRASHED)
    luns = _luns(connection, ids, TRASHED)
    statement = select(TARGET).where(TARGET.c.state == TRASHED).order_by(TARGET.c.id)
    return [rows.trashed_of(row, luns.get(row["id"], ())) for row in connection.execute(statement).mappings()]


def on_volume(connection: Connection, volume: str) -> list[str]:
    """Names of the targets with a LUN there, or a file still to be moved to the trash."""
    statement = (
        select(TARGET.c.name)
        .join(LUN, LUN.c.target_id == TARGET.c.id)
        .where(LUN.c.volume == volume, (TARGET.c.state != TRASHED) | (LUN.c.trash_file != ""))
        .distinct()
        .order_by(TARGET.c.name)
    )
    return list(connection.execute(statement).scalars())


def forget_trash_of(connection: Connection, volume: str) -> None:
    """Drop what lies in a volume's trash from the database."""
    there = select(LUN.c.target_id).where(LUN.c.volume == volume)
    connection.execute(delete(TARGET).where(TARGET.c.state == TRASHED, TARGET.c.id.in_(there)))


def committed_bytes(connection: Connection) -> dict[str, int]:
    """Volume to the sum of its LUNs' sizes."""
    statement = select(LUN.c.volume, func.sum(LUN.c.size_bytes)).where(LUN.c.state != TRASHED).group_by(LUN.c.volume)
    return {volume: int(total) for volume, total in connection.execute(statement)}
