from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from desktop_app.core.channel import Address, receive, send
from desktop_app.sdk.errors import WorkerLost
from desktop_app.worker.commands import Commands, CommandServer


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def server(commands: Commands) -> Iterator[CommandServer]:
    server = CommandServer(commands)
    yield server
    server.close()


def _told(connection: Connection, command: str) -> object:
    send(connection, {"command": command})
    return receive(connection).header["taken"]


def test_commands_come_out_in_the_order_they_went_in(commands: Commands) -> None:
    commands.put("pause")
    commands.put("resume")

    assert [commands.next(), commands.next(), commands.next()] == ["pause", "resume", None]


def test_every_command_that_a_window_sends_is_taken(
    commands: Commands, server: CommandServer
) -> None:
    with server.address.connect() as window:
        assert _told(window, "pause") is True
        assert _told(window, "stop") is True

        assert [commands.next(), commands.next()] == ["pause", "stop"]


def test_an_unknown_command_is_refused_and_the_next_one_taken(
    commands: Commands, server: CommandServer
) -> None:
    with server.address.connect() as window:
        assert _told(window, "explode") is False
        assert _told(window, "pause") is True

        assert commands.next() == "pause"


def test_two_windows_can_be_attached_at_once(commands: Commands, server: CommandServer) -> None:
    with server.address.connect() as first, server.address.connect() as second:
        assert _told(first, "pause") is True
        assert _told(second, "resume") is True

        assert [commands.next(), commands.next()] == ["pause", "resume"]


def test_a_window_that_closes_the_pipe_asks_for_a_checkpoint(
    commands: Commands, server: CommandServer
) -> None:
    server.address.connect().close()

    assert commands.next(timeout=5) == "checkpoint"


def test_a_stranger_without_the_key_is_turned_away_and_the_server_stays(
    commands: Commands, server: CommandServer
) -> None:
    stranger = Address(server.address.path, "00" * 16)

    with pytest.raises(WorkerLost, match="does not answer"):
        stranger.connect()

    with server.address.connect() as window:
        assert _told(window, "pause") is True
    assert commands.next() == "pause"


def test_a_closed_server_leaves_neither_thread_nor_socket(commands: Commands) -> None:
    server = CommandServer(commands)

    server.close()

    with pytest.raises(WorkerLost, match="does not answer"):
        server.address.connect()


def test_closing_never_waits_for_a_window_that_came_at_the_last_moment(commands: Commands) -> None:
    for _ in range(100):
        server = CommandServer(commands)
        with server.address.connect():
            server.close()
