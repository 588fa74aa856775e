import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Loupe, loupe
from tests.folders import write_mvtec

__all__ = ["loupe"]

METHODS = {
    "autoencoder": ("epochs=1", "least_steps=150", "code_size=8", "nodes=32"),
    "vae": ("epochs=1", "least_steps=150", "nodes=32"),
    "pca": (),
    "patch_memory": ("filters=24", "dimensions=64"),
}


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_goes_from_a_folder_to_measured_anomalies(
    loupe: Loupe, tmp_path: Path, method: str
) -> None:
    folder = write_mvtec(tmp_path / "铝板 🔩", good=40, side=32)
    run, machine = tmp_path / "run", ("--threads", 1, "--device", "cpu")
    wishes = [word for wish in METHODS[method] for word in ("--set", wish)]

    trained = loupe(
        *("train", folder, "--method", method, "--image-size", 32, "--out", run),
        *wishes,
        *machine,
    )
    assert trained.code == 0, trained.err
    scored = loupe(
        *("score", run, folder, "--maps", tmp_path / "maps", "--out", tmp_path / "s.csv"),
        *machine,
    )
    assert scored.code == 0, scored.err
    embedded = loupe("embed", run, folder, "--out", tmp_path / "latents.npz", *machine)
    evaluated = loupe("evaluate", run, folder, "--json", *machine)

    with (tmp_path / "s.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 50
    assert len(list((tmp_path / "maps").rglob("*.npy"))) == 50
    assert embedded.code == 0, embedded.err
    with np.load(tmp_path / "latents.npz", allow_pickle=False) as arrays:
        assert len(arrays["latents"]) == 50
    measures = json.loads(evaluated.out)
    assert measures["image_auroc"] > 0.9
    assert measures["pixel_auroc"] > 0.8
