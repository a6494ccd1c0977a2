"""The numbers of RFC 7143 (section 11, and RFC 7144 where it adds to them), each in one place.

Nothing here decides anything. A number that came from a peer may be none of these: readers compare plain integers and
never build a member from an unchecked value.
"""

from enum import IntEnum, IntFlag


class Opcode(IntEnum):
    """What a PDU is: the low six bits of its first byte (section 11.1.1)."""

    NOP_OUT = 0x00
    SCSI_COMMAND = 0x01
    TASK_MANAGEMENT_REQUEST = 0x02
    LOGIN_REQUEST = 0x03
    TEXT_REQUEST = 0x04
    DATA_OUT = 0x05
    LOGOUT_REQUEST = 0x06
    SNACK_REQUEST = 0x10
    NOP_IN = 0x20
    SCSI_RESPONSE = 0x21
    TASK_MANAGEMENT_RESPONSE = 0x22
    LOGIN_RESPONSE = 0x23
    TEXT_RESPONSE = 0x24
    DATA_IN = 0x25
    LOGOUT_RESPONSE = 0x26
    R2T = 0x31
    ASYNC_MESSAGE = 0x32
    REJECT = 0x3F


class Stage(IntEnum):
    """Stages of a login, as CSG and NSG name them (section 11.12.3). 2 is reserved."""

    SECURITY = 0
    OPERATIONAL = 1
    FULL_FEATURE = 3


class CommandFlag(IntFlag):
    """Second byte of a SCSI Command (section 11.3.1); its low three bits are the task attribute."""

    FINAL = 0x80
    READ = 0x40
    WRITE = 0x20


class TaskAttribute(IntEnum):
    """How a task is ordered among others (section 11.3.1)."""

    UNTAGGED = 0
    SIMPLE = 1
    ORDERED = 2
    HEAD_OF_QUEUE = 3
    ACA = 4


class ResidualFlag(IntFlag):
    """Residual bits in the second byte of a SCSI Response (section 11.4.1); Data-In knows the last two (11.7.1)."""

    BIDIRECTIONAL_OVERFLOW = 0x10
    BIDIRECTIONAL_UNDERFLOW = 0x08
    OVERFLOW = 0x04
    UNDERFLOW = 0x02


class ScsiServiceResponse(IntEnum):
    """Response field of a SCSI Response (section 11.4.3)."""

    COMPLETED_AT_TARGET = 0x00
    TARGET_FAILURE = 0x01


class LoginStatus(IntEnum):
    """Status class (high byte) and detail (low byte) of a Login Response (section 11.13.5)."""

    SUCCESS = 0x0000
    TARGET_MOVED_TEMPORARILY = 0x0101
    TARGET_MOVED_PERMANENTLY = 0x0102
    INITIATOR_ERROR = 0x0200
    AUTHENTICATION_FAILURE = 0x0201
    AUTHORIZATION_FAILURE = 0x0202
    NOT_FOUND = 0x0203
    TARGET_REMOVED = 0x0204
    UNSUPPORTED_VERSION = 0x0205
    TOO_MANY_CONNECTIONS = 0x0206
    MISSING_PARAMETER = 0x0207
    CANNOT_INCLUDE_IN_SESSION = 0x0208
    SESSION_TYPE_NOT_SUPPORTED = 0x0209
    SESSION_DOES_NOT_EXIST = 0x020A
    INVALID_DURING_LOGIN = 0x020B
    TARGET_ERROR = 0x0300
    SERVICE_UNAVAILABLE = 0x0301
    OUT_OF_RESOURCES = 0x0302


class RejectReason(IntEnum):
    """Why a PDU was rejected (section 11.17.1)."""

    DATA_DIGEST_ERROR = 0x02
    SNACK_REJECT = 0x03
    PROTOCOL_ERROR = 0x04
    COMMAND_NOT_SUPPORTED = 0x05
    IMMEDIATE_COMMAND_REJECT = 0x06
    TASK_IN_PROGRESS = 0x07
    INVALID_DATA_ACK = 0x08
    INVALID_PDU_FIELD = 0x09
    LONG_OPERATION_REJECT = 0x0A
    WAITING_FOR_LOGOUT = 0x0C


class TaskFunction(IntEnum):
    """Task management functions (section 11.5.1; from QUERY_TASK on: RFC 7144 section 7)."""

    ABORT_TASK = 1
    ABORT_TASK_SET = 2
    CLEAR_ACA = 3
    CLEAR_TASK_SET = 4
    LOGICAL_UNIT_RESET = 5
    TARGET_WARM_RESET = 6
    TARGET_COLD_RESET = 7
    TASK_REASSIGN = 8
    QUERY_TASK = 9
    QUERY_TASK_SET = 10
    I_T_NEXUS_RESET = 11
    QUERY_ASYNCHRONOUS_EVENT = 12


class TaskResponse(IntEnum):
    """Answers to task management (section 11.6.1; FUNCTION_SUCCEEDED: RFC 7144)."""

    FUNCTION_COMPLETE = 0
    TASK_DOES_NOT_EXIST = 1
    LUN_DOES_NOT_EXIST = 2
    TASK_STILL_ALLEGIANT = 3
    REASSIGNMENT_NOT_SUPPORTED = 4
    FUNCTION_NOT_SUPPORTED = 5
    AUTHORIZATION_FAILED = 6
    FUNCTION_SUCCEEDED = 7
    FUNCTION_REJECTED = 255


class LogoutReason(IntEnum):
    """Why an initiator logs out (section 11.14.1)."""

    CLOSE_SESSION = 0
    CLOSE_CONNECTION = 1
    REMOVE_FOR_RECOVERY = 2


class LogoutResponse(IntEnum):
    """Answers to a logout (section 11.15.1)."""

    SUCCESS = 0
    CID_NOT_FOUND = 1
    RECOVERY_NOT_SUPPORTED = 2
    CLEANUP_FAILED = 3


class AsyncEvent(IntEnum):
    """What an Asynchronous Message announces (section 11.9.1)."""

    SCSI_EVENT = 0
    LOGOUT_REQUEST = 1
    CONNECTION_DROP = 2
    SESSION_DROP = 3
    NEGOTIATION_REQUEST = 4
    TASKS_TERMINATED = 5
    VENDOR_SPECIFIC = 255


class ChapAlgorithm(IntEnum):
    """CHAP_A values (section 12.1.3 and the PPP authentication algorithm numbers it refers to)."""

    MD5 = 5
    SHA1 = 6
    SHA256 = 7
    SHA3_256 = 8
