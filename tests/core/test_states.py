from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.states import read_about, read_state, write_state
from desktop_app.sdk.errors import UnreadableRun
from desktop_app.sdk.method import State

ARRAYS = {
    "network.weight": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
    "single": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "bytes": np.arange(5, dtype=np.uint8),
    "numbers": np.arange(5),
    "flags": np.array([True, False]),
}
VALUES = {"step": 7, "beta": 0.5, "names": ["a", "乙"], "nothing": None, "nested": {"deep": [1]}}


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    write_state(tmp_path / "state", State(ARRAYS, VALUES), step=7)

    state = read_state(tmp_path / "state")

    assert state.values == VALUES
    assert set(state.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert state.arrays[name].dtype == array.dtype
        assert state.arrays[name].shape == array.shape
        assert np.array_equal(state.arrays[name], array)


def test_what_is_kept_beside_a_state_comes_back(tmp_path: Path) -> None:
    write_state(tmp_path / "state", State({}, {}), step=3, elapsed=1.5)

    assert read_about(tmp_path / "state") == {"step": 3, "elapsed": 1.5}


def test_arrays_that_are_no_block_of_memory_are_kept(tmp_path: Path) -> None:
    array = np.arange(12).reshape(3, 4).T[::2]

    write_state(tmp_path / "state", State({"a": array}, {}))

    assert np.array_equal(read_state(tmp_path / "state").arrays["a"], array)


def test_a_newer_state_replaces_the_older_one_whole(tmp_path: Path) -> None:
    write_state(tmp_path / "state", State({"old": np.zeros(3)}, {}))
    write_state(tmp_path / "state", State({"new": np.ones(3)}, {}))

    assert set(read_state(tmp_path / "state").arrays) == {"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_state_that_cannot_be_written_leaves_the_older_one(tmp_path: Path) -> None:
    write_state(tmp_path / "state", State({"old": np.zeros(3)}, {}))

    with pytest.raises(TypeError):
        write_state(tmp_path / "state", State({}, {"no JSON": object()}))

    assert set(read_state(tmp_path / "state").arrays) == {"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_nothing_in_a_state_can_run_code(tmp_path: Path) -> None:
    write_state(tmp_path / "state", State(ARRAYS, VALUES))

    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert names == ["state.json", "state.safetensors"]


@pytest.mark.parametrize("file", ["state.json", "state.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', None])
def test_a_damaged_state_is_a_sentence(tmp_path: Path, file: str, content: bytes | None) -> None:
    write_state(tmp_path / "state", State(ARRAYS, VALUES))
    if content is None:
        (tmp_path / "state" / file).unlink()
    else:
        (tmp_path / "state" / file).write_bytes(content)

    with pytest.raises(UnreadableRun, match="No readable trained method in"):
        read_state(tmp_path / "state")
