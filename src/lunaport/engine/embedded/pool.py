"""Memory of the data path, used again and again: a buffer that was just used is still in the processor's cache."""

from lunaport.iscsi.output import Output

RECEIVE_BYTES = 1 << 20
"""Of a receive buffer; holds the longest PDU several times."""
OUTPUT_BYTES = (1 << 20) + (1 << 16)
"""Of an output; holds a megabyte of data-in with its headers."""
KEPT_MAX = 8
"""Buffers kept when nobody uses them; more go back to the system."""


class BufferPool:
    """Receive buffers and outputs. The last one given back is the next one taken."""

    def __init__(self) -> None:
        self.receive: list[memoryview] = []
        self.outputs: list[Output] = []

    def take_receive(self) -> memoryview:
        """A receive buffer of RECEIVE_BYTES."""
        return self.receive.pop() if self.receive else memoryview(bytearray(RECEIVE_BYTES))

    def give_receive(self, buffer: memoryview) -> None:
        """Give a receive buffer back."""
        if len(self.receive) < KEPT_MAX:
            self.receive.append(buffer)

    def take_output(self, room_bytes: int) -> Output:
        """An empty output with at least `room_bytes`."""
        if room_bytes > OUTPUT_BYTES:
            return Output(room_bytes)
        return self.outputs.pop() if self.outputs else Output(OUTPUT_BYTES)

    def give_output(self, output: Output) -> None:
        """Give an output back."""
        if output.size == OUTPUT_BYTES and len(self.outputs) < KEPT_MAX:
            output.clear()
            self.outputs.append(output)
