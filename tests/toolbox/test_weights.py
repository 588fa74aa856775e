"""Weight files are read without running code, and misfits are told in a sentence."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from desktop_app.sdk.errors import InvalidInput
from desktop_app.toolbox.weights import MatchReport, match, read_weights

STATE = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}


def test_a_state_dict_is_read_with_its_checksum(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    file = read_weights(tmp_path / "w.pth")

    assert file.shapes == {"a.weight": (2, 3), "a.bias": (2,)}
    assert file.sha256 == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")

    assert set(read_weights(tmp_path / "w.safetensors").tensors) == set(STATE)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": STATE, "epoch": 3},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
        {"model": {f"module.backbone.{name}": tensor for name, tensor in STATE.items()}},
    ],
)
def test_wrappers_and_common_prefixes_are_taken_off(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")

    assert set(read_weights(tmp_path / "w.pth").tensors) == set(STATE)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file"):
        read_weights(tmp_path / "absent.pth")


def test_a_whole_network_is_not_opened(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "network.pth")

    with pytest.raises(InvalidInput, match="can run code and are not opened"):
        read_weights(tmp_path / "network.pth")


@pytest.mark.parametrize("name", ["noise.pth", "noise.safetensors"])
def test_a_file_of_something_else_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG no weights at all" * 40)

    with pytest.raises(InvalidInput, match=name):
        read_weights(tmp_path / name)


def test_a_dictionary_without_tensors_is_told(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pth")

    with pytest.raises(InvalidInput, match="a dictionary with 'epoch'"):
        read_weights(tmp_path / "w.pth")


def test_the_report_counts_every_kind_of_misfit_and_survives_json(tmp_path: Path) -> None:
    torch.save({**STATE, "extra": torch.ones(1)}, tmp_path / "w.pth")
    expected = {"a.weight": (2, 3), "a.bias": (5,), "b": (1,), "n.num_batches_tracked": ()}

    report = match(expected, read_weights(tmp_path / "w.pth"), "toy")

    assert (report.matched, report.missing, report.unexpected) == (1, ("b",), ("extra",))
    assert report.wrong_shape == ("a.bias: network (5,), file (2,)",)
    assert MatchReport.of_values(report.values()) == report
    assert "1 tensors matched, 1 missing, 1 unexpected, 1 of another shape" in report.sentence()
