import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe

import numpy as np
import pytest

from desktop_app.core.channel import Address, receive, send
from desktop_app.sdk.errors import WorkerLost


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    here, there = Pipe()
    with here, there:
        yield here, there


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64", "bool", ">f4"])
def test_arrays_of_any_kind_arrive_as_they_were_sent(
    pipe: tuple[Connection, Connection], dtype: str
) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)

    send(pipe[0], {"kind": "decode"}, {"latents": array})
    message = receive(pipe[1])

    assert message.header == {"kind": "decode"}
    assert message.arrays["latents"].dtype == array.dtype
    assert np.array_equal(message.arrays["latents"], array)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3, 4), (1,), (2, 0)])
def test_empty_arrays_and_single_numbers_keep_their_shape(
    pipe: tuple[Connection, Connection], shape: tuple[int, ...]
) -> None:
    send(pipe[0], {}, {"a": np.zeros(shape, np.float32), "b": np.ones(2)})

    arrays = receive(pipe[1]).arrays
    assert arrays["a"].shape == shape
    assert arrays["b"].tolist() == [1, 1]


def test_arrays_that_are_no_block_of_memory_are_sent_too(
    pipe: tuple[Connection, Connection],
) -> None:
    array = np.arange(12).reshape(3, 4).T[::2]

    send(pipe[0], {}, {"a": array})

    assert np.array_equal(receive(pipe[1]).arrays["a"], array)


def test_a_header_of_any_language_arrives(pipe: tuple[Connection, Connection]) -> None:
    send(pipe[0], {"path": "批次 7 🍪", "n": 3, "none": None})

    assert receive(pipe[1]).header == {"path": "批次 7 🍪", "n": 3, "none": None}


def test_a_closed_pipe_is_told_on_both_sides(pipe: tuple[Connection, Connection]) -> None:
    pipe[1].close()

    with pytest.raises(WorkerLost, match="other side of the pipe is gone"):
        receive(pipe[0])
    with pytest.raises(WorkerLost, match="other side of the pipe is gone"):
        send(pipe[0], {})


def test_an_address_where_nobody_listens_is_told() -> None:
    with pytest.raises(WorkerLost, match="does not answer"):
        Address.new().connect()


def test_two_addresses_differ_in_place_and_key() -> None:
    first, second = Address.new(), Address.new()

    assert first.path != second.path
    assert first.key != second.key


def test_messages_travel_between_an_address_and_who_connects() -> None:
    address = Address.new()
    with address.listen() as listener:

        def answer() -> None:
            with listener.accept() as connection:
                message = receive(connection)
                send(connection, message.header, message.arrays)

        thread = threading.Thread(target=answer)
        thread.start()
        with address.connect() as connection:
            send(connection, {"number": 1}, {"a": np.arange(3)})
            assert receive(connection).arrays["a"].tolist() == [0, 1, 2]
        thread.join()
