"""The PDUs of RFC 7143 section 11 as values, each with its parser.

For everything off the hot path, and for initiators. A `parse_` function takes the 48 bytes of the basic header segment
and the data segment without padding; `serialize` gives header, data and padding, without digests (see `digest`). Fields
are kept as numbers, known or not; nothing here judges them beyond what it takes to read a message.
"""

from lunaport.iscsi.pdu.command import (
    ScsiCommand,
    ScsiResponse,
    parse_scsi_command,
    parse_scsi_response,
)
from lunaport.iscsi.pdu.header import (
    ACKNOWLEDGE,
    BHS,
    CONTINUE,
    DATA_LENGTH_MASK,
    FINAL,
    IMMEDIATE,
    OPCODE_MASK,
    RESERVED_TAG,
    STATUS,
    TAIL,
    ReadableBuffer,
    opcode_of,
    pad4,
    serialize_pdu,
    unpack_bhs,
)
from lunaport.iscsi.pdu.login import (
    LoginRequest,
    LoginResponse,
    parse_login_request,
    parse_login_response,
)
from lunaport.iscsi.pdu.management import (
    LogoutRequest,
    LogoutResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    parse_logout_request,
    parse_logout_response,
    parse_task_management_request,
    parse_task_management_response,
)
from lunaport.iscsi.pdu.notice import (
    AsyncMessage,
    NopIn,
    NopOut,
    Reject,
    parse_async_message,
    parse_nop_in,
    parse_nop_out,
    parse_reject,
)
from lunaport.iscsi.pdu.text import (
    TextRequest,
    TextResponse,
    parse_text_request,
    parse_text_response,
)
from lunaport.iscsi.pdu.transfer import (
    R2T,
    DataIn,
    DataOut,
    parse_data_in,
    parse_data_out,
    parse_r2t,
)

__all__ = [
    "ACKNOWLEDGE",
    "BHS",
    "CONTINUE",
    "DATA_LENGTH_MASK",
    "FINAL",
    "IMMEDIATE",
    "OPCODE_MASK",
    "R2T",
    "RESERVED_TAG",
    "STATUS",
    "TAIL",
    "AsyncMessage",
    "DataIn",
    "DataOut",
    "LoginRequest",
    "LoginResponse",
    "LogoutRequest",
    "LogoutResponse",
    "NopIn",
    "NopOut",
    "ReadableBuffer",
    "Reject",
    "ScsiCommand",
    "ScsiResponse",
    "TaskManagementRequest",
    "TaskManagementResponse",
    "TextRequest",
    "TextResponse",
    "opcode_of",
    "pad4",
    "parse_async_message",
    "parse_data_in",
    "parse_data_out",
    "parse_login_request",
    "parse_login_response",
    "parse_logout_request",
    "parse_logout_response",
    "parse_nop_in",
    "parse_nop_out",
    "parse_r2t",
    "parse_reject",
    "parse_scsi_command",
    "parse_scsi_response",
    "parse_task_management_request",
    "parse_task_management_response",
    "parse_text_request",
    "parse_text_response",
    "serialize_pdu",
    "unpack_bhs",
]
