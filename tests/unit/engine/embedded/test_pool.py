"""Buffers are used again, and never handed to two at once."""

from lunaport.engine.embedded.pool import KEPT_MAX, OUTPUT_BYTES, RECEIVE_BYTES, BufferPool


def test_the_last_buffer_given_is_the_next_taken() -> None:
    pool = BufferPool()
    first, second = pool.take_receive(), pool.take_receive()
    assert first is not second
    assert len(first) == RECEIVE_BYTES
    pool.give_receive(first)
    pool.give_receive(second)
    assert pool.take_receive() is second


def test_no_more_than_a_few_are_kept() -> None:
    pool = BufferPool()
    taken = [pool.take_receive() for _ in range(KEPT_MAX + 1)]
    outputs = [pool.take_output(1) for _ in range(KEPT_MAX + 1)]
    for buffer, output in zip(taken, outputs, strict=True):
        pool.give_receive(buffer)
        pool.give_output(output)
    assert len(pool.receive) == len(pool.outputs) == KEPT_MAX


def test_an_output_larger_than_usual_is_not_kept() -> None:
    pool = BufferPool()
    output = pool.take_output(OUTPUT_BYTES + 1)
    assert output.size == OUTPUT_BYTES + 1
    pool.give_output(output)
    assert pool.outputs == []


def test_an_output_given_back_is_empty() -> None:
    pool = BufferPool()
    output = pool.take_output(OUTPUT_BYTES)
    output.append(b"abc")
    output.sent = 3
    pool.give_output(output)
    again = pool.take_output(1)
    assert again is output
    assert (again.filled, again.sent) == (0, 0)
