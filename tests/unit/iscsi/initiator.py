"""An initiator for tests of the login phase: it builds each request by hand and reads each answer."""

from dataclasses import dataclass, field, replace

from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused
from lunaport.iscsi.login import LoginOutcome, LoginPhase, LoginStep, TargetPolicy
from lunaport.iscsi.pdu import LoginRequest, LoginResponse, parse_login_response
from lunaport.iscsi.text import parse_text

INITIATOR = "iqn.2026-01.org.example:host"
TARGET = "iqn.2026-01.org.example:disk"
ISID = bytes.fromhex("00023d000001")
SECURITY, OPERATIONAL, FULL_FEATURE = 0, 1, 3


def counting(length: int) -> bytes:
    """A random source without randomness."""
    return bytes(range(1, length + 1))


@dataclass
class Directory:
    """Knows one target, and keeps what it was asked."""

    policy: TargetPolicy = field(default_factory=lambda: TargetPolicy(name=TARGET))
    discovery: TargetPolicy = field(default_factory=lambda: TargetPolicy(name=""))
    tsih: int = 0x0042
    refusal: LoginRefused | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    admitted: list[LoginOutcome] = field(default_factory=list)

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        self.asked.append((target_name, initiator_name))
        if target_name != self.policy.name:
            raise LoginRefused(LoginStatus.NOT_FOUND, f"unknown target {target_name}")
        return self.policy

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        self.asked.append(("", initiator_name))
        return self.discovery

    def admit(self, outcome: LoginOutcome) -> int:
        if self.refusal:
            raise self.refusal
        self.admitted.append(outcome)
        return self.tsih


def split(pdu: bytes) -> tuple[bytes, bytes]:
    """Header and data without padding."""
    return pdu[:48], pdu[48 : 48 + int.from_bytes(pdu[5:8], "big")]


class Initiator:
    """Speaks to a LoginPhase; `answers` are the keys of the last response."""

    def __init__(self, directory: Directory) -> None:
        self.phase = LoginPhase(directory, counting, "192.0.2.1:3260")
        self.base = LoginRequest(isid=ISID, initiator_task_tag=0x11, cid=1, cmd_sn=100, exp_stat_sn=500)
        self.response: LoginResponse | None = None
        self.answers: dict[str, str] = {}

    def send(
        self, stage: int, next_stage: int | None, text: dict[str, str] | bytes = b"", continues: bool = False
    ) -> LoginStep:
        """Send a request of `stage`, asking to move on to `next_stage` unless it is None."""
        data = text if isinstance(text, bytes) else "".join(f"{key}={value}\0" for key, value in text.items()).encode()
        request = replace(
            self.base,
            transit=next_stage is not None,
            continues=continues,
            current_stage=stage,
            next_stage=next_stage or 0,
            data=data,
        )
        return self.send_pdu(request.serialize())

    def send_pdu(self, pdu: bytes) -> LoginStep:
        step = self.phase.receive(*split(pdu))
        self.response, self.answers = None, {}
        if step.responses:
            (wire,) = step.responses
            self.response = parse_login_response(*split(wire))
            self.answers = parse_text(self.response.data)
        return step
