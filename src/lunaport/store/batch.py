"""Changes that become durable together: each by the statements of its kind, in one transaction."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from lunaport.model.batch import Batch
from lunaport.store import blocks, targets, users
from lunaport.store.key import SecretBox

Put = Callable[[Connection, Any], Any]


def commit(
    connection: Connection, box: SecretBox, batch: Batch, *, add_volume: Put, replace_volume: Put, put_service: Put
) -> None:
    """Carry out a batch. The functions are those of the store for volumes and the service."""
    for volume in batch.add_volumes:
        add_volume(connection, volume)
    for volume in batch.replace_volumes:
        replace_volume(connection, volume)
    for target_id, files in batch.trash_targets.items():
        targets.trash(connection, target_id, files, batch.now)
    for target_id, uuid, file in batch.trash_luns:
        targets.trash_lun(connection, box, target_id, uuid, file, batch.now)
    for target_id, luns in batch.reserve_luns:
        targets.reserve_luns(connection, box, target_id, luns)
    for target in batch.replace_targets:
        targets.replace(connection, box, target, ())
    for target_id in batch.activate_targets:
        targets.activate(connection, box, target_id)
    for target in batch.add_targets:
        targets.activate(connection, box, targets.add(connection, box, target).id)
    if batch.service is not None:
        put_service(connection, batch.service)
    for block in batch.put_blocks:
        blocks.put(connection, block)
    for initiator in batch.remove_blocks:
        blocks.remove(connection, initiator)
    for user in batch.add_users:
        users.add(connection, user)
    for user in batch.replace_users:
        users.replace_user(connection, user)
    for name in batch.remove_users:
        users.remove(connection, name)
