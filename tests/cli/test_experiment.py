import json
from pathlib import Path

from desktop_app.core.experiments import members
from desktop_app.core.runs import Run
from tests.cli.conftest import Loupe
from tests.cli.test_train import SMALL


def test_every_variant_becomes_a_run_and_a_line_of_the_table(
    loupe: Loupe, image_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "深度"

    outcome = loupe("experiment", image_folder, *SMALL, "--name", "depth", "--out", out)

    assert outcome.code == 0
    runs = [Run.open(path) for path in sorted(out.iterdir())]
    assert [run.path.name for run in runs] == ["1-layer", "2-layers", "3-layers", "4-layers"]
    assert [run.spec().params["layers"] for run in runs] == [1, 2, 3, 4]
    assert runs[0].spec().title == "Autoencoder · 1 layer"
    found = members(reversed(runs), runs[0].spec().experiment)
    assert [run.path for run in found] == [run.path for run in runs]
    lines = outcome.out.splitlines()
    assert lines[0].split()[0] == "variant"
    assert {"loss", "kNN", "linear", "state"} <= set(lines[0].split())
    assert [line.split("  ")[0] for line in lines[1:]] == [
        *("1 layer", "2 layers", "3 layers", "4 layers"),
        *("(raw pixels)", "(PCA-64)"),
    ]


def test_the_numbers_of_an_experiment_are_there_for_machines(
    loupe: Loupe, image_folder: Path, tmp_path: Path
) -> None:
    words = ("--name", "Depth", "--out", tmp_path / "out", "--json")

    outcome = loupe("experiment", image_folder, *SMALL, *words)

    told = json.loads(outcome.out.splitlines()[-1])
    assert (told["type"], told["name"], len(told["runs"])) == ("experiment", "Depth", 4)
    first = told["runs"][0]
    assert (first["variant"], first["state"]) == ("1 layer", "finished")
    assert first["metrics"]["loss"] > 0
    assert set(first["probe"]) == {"latents", "pixels", "pca", "untrained"}


def test_an_unknown_experiment_and_a_folder_in_use_are_refused_before_any_training(
    loupe: Loupe, image_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "2-layers").mkdir(parents=True)

    unknown = loupe("experiment", image_folder, *SMALL, "--name", "Width", "--out", out)
    used = loupe("experiment", image_folder, *SMALL, "--name", "Depth", "--out", out)

    assert unknown.told().startswith("No experiment 'Width'. Known: 'Depth'")
    assert "exists already" in used.told()
    assert [path.name for path in out.iterdir()] == ["2-layers"]
