"""A login to a target of another process: who begins from the first byte says what this one would have said."""

from dataclasses import dataclass, field

import pytest

from lunaport.iscsi.enums import LoginStatus, Stage
from lunaport.iscsi.errors import LocalProtocolError, LoginRefused, Refusal, TargetElsewhere
from lunaport.iscsi.login import LoginPhase, LoginStep, TargetPolicy
from lunaport.iscsi.pdu import parse_login_response
from tests.unit.iscsi.initiator import INITIATOR, TARGET, Directory, Initiator, counting, split

NAMES = {"InitiatorName": INITIATOR, "TargetName": TARGET, "SessionType": "Normal"}


@dataclass(slots=True)
class Elsewhere(Directory):
    """The target is with process 3."""

    found: list[str] = field(default_factory=list)

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        self.found.append(target_name)
        raise TargetElsewhere(3)


def test_nothing_is_answered_and_nothing_goes_on() -> None:
    initiator = Initiator(Elsewhere())
    step = initiator.send(Stage.OPERATIONAL, Stage.FULL_FEATURE, NAMES)
    assert step == LoginStep(elsewhere=3)
    assert not initiator.phase.is_identified
    assert initiator.send(Stage.OPERATIONAL, Stage.FULL_FEATURE, NAMES).failed == "the login is over"


def test_discovery_is_never_elsewhere() -> None:
    directory = Elsewhere()
    initiator = Initiator(directory)
    text = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}
    assert initiator.send(Stage.OPERATIONAL, Stage.FULL_FEATURE, text).outcome is not None
    assert initiator.phase.is_identified
    assert not directory.found


def test_the_parts_of_a_request_are_answered_alike_by_both() -> None:
    here, there = Initiator(Elsewhere()), Initiator(Directory())
    text = "".join(f"{key}={value}\0" for key, value in NAMES.items()).encode()
    for part in (text[:20], text[20:40]):
        one = here.send(Stage.SECURITY, None, part, continues=True)
        assert one == there.send(Stage.SECURITY, None, part, continues=True)
        assert len(one.responses) == 1
        assert not here.phase.is_identified
    assert here.send(Stage.SECURITY, Stage.OPERATIONAL, text[40:]).elsewhere == 3
    assert there.send(Stage.SECURITY, Stage.OPERATIONAL, text[40:]).responses
    assert there.phase.is_identified


def test_where_the_other_process_takes_none_the_login_is_refused() -> None:
    initiator = Initiator(Elsewhere())
    initiator.send(Stage.OPERATIONAL, Stage.FULL_FEATURE, NAMES)
    step = initiator.phase.refuse(LoginRefused(LoginStatus.SERVICE_UNAVAILABLE, "busy", refusal=Refusal.BUSY))
    response = parse_login_response(*split(step.responses[0]))
    assert (response.status, response.transit, response.data) == (LoginStatus.SERVICE_UNAVAILABLE, False, b"")
    assert (step.failed, step.refusal, step.initiator_name, step.target_name) == (
        "busy",
        Refusal.BUSY,
        INITIATOR,
        TARGET,
    )


def test_there_has_to_be_something_to_refuse() -> None:
    with pytest.raises(LocalProtocolError):
        LoginPhase(Directory(), counting).refuse(LoginRefused(LoginStatus.SERVICE_UNAVAILABLE, "busy"))
