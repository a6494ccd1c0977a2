"""Task management where the protocols meet: what a session makes of the functions of RFC 7143 section 11.5.1."""

from unittest.mock import create_autospec

import pytest

from lunaport.engine.embedded.session import _FUNCTIONS, Session
from lunaport.engine.embedded.transport import Transport
from lunaport.iscsi.enums import TaskFunction, TaskResponse
from lunaport.scsi.management import FUNCTIONS, SUPPORTED, TaskManagement
from tests.unit.iscsi.full_feature import Peer
from tests.unit.scsi.support import Bench


def answer(function: int, lun: int = 0) -> TaskResponse:
    transport = create_autospec(Transport, instance=True)
    session = Session(transport, Peer().connection.outcome, 1, None, Bench().nexus, lambda: None)
    answers: list[TaskResponse] = []
    session.manage(function, lun, answers.append)
    [response] = answers
    return response


def test_all_that_scsi_has_is_there_for_iscsi() -> None:
    assert set(_FUNCTIONS.values()) == set(FUNCTIONS)
    assert set(FUNCTIONS) | {TaskManagement.ABORT_TASK} == set(SUPPORTED)


@pytest.mark.parametrize("function", sorted(_FUNCTIONS))
def test_what_can_be_done_is_done(function: int) -> None:
    assert answer(function) == TaskResponse.FUNCTION_COMPLETE


@pytest.mark.parametrize("function", [TaskFunction.CLEAR_ACA, *range(TaskFunction.QUERY_TASK, 13), 0, 0x7F])
def test_what_cannot_be_done_is_told(function: int) -> None:
    assert answer(function) == TaskResponse.FUNCTION_NOT_SUPPORTED
    assert answer(TaskFunction.LOGICAL_UNIT_RESET, lun=1 << 48) == TaskResponse.LUN_DOES_NOT_EXIST
