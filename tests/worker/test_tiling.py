"""Methods that are shown tiles: what they say is of whole images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.images import ImageFolder
from desktop_app.core.plugins import find_method
from desktop_app.core.regions import Region
from desktop_app.core.runreport import training_command
from desktop_app.core.runs import JobSpec, JobState, Result, Run
from desktop_app.core.tiles import TileGrid
from desktop_app.sdk.capabilities import Decodes, Inspects, capabilities_of
from desktop_app.sdk.data import Array, ArrayDataset, Dataset, Images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Events, Latents, Metrics
from desktop_app.sdk.explanation import Explanation
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params
from desktop_app.toolbox.exporting import encoder_module
from desktop_app.worker.exporting import export_encoder
from desktop_app.worker.loading import new_method, require_capability, trained_method
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.serving import _Desk
from desktop_app.worker.tiling import in_tiles, kind_in_tiles, rebuilt
from desktop_app.worker.training import train
from desktop_app.worker.watching import Scorer
from tests.folders import texture, write_png
from tests.runs import At, dense_spec, losses

MEMORY: dict[str, Any] = {"filters": 8, "coreset_least": 100, "coreset_limit": 300}


class Bright(Method[Params]):
    """Finds bright images unusual: what it says of tiles is known."""

    card = Card("bright", "Bright", "Tests", "Looks for light.")

    def fit(self, data: Dataset) -> Events:
        self.seen = data
        for step in range(1, 5):
            yield Metrics(step, step / 4, {}, images=3)
        yield Latents(
            np.arange(2 * len(data), dtype=np.float32).reshape(-1, 2), np.arange(len(data))
        )

    def state(self) -> State:
        return State({}, {})

    def restore(self, state: State) -> None:
        del state

    def score(self, images: Images) -> Array:
        maps = images.mean(axis=1)
        inside = np.ones(maps.shape[1:], np.bool_) if self.region is None else self.region
        return maps[:, inside].max(axis=1)

    def localize(self, images: Images) -> Array:
        return images.mean(axis=1)

    def inspect(self, images: Images) -> tuple[Array, Array]:
        return self.score(images), self.localize(images)

    def encode(self, images: Images) -> Array:
        return images.mean(axis=(2, 3))

    def decode(self, latents: Array) -> Images:
        return np.repeat(latents, 16 * 16, axis=1).reshape(len(latents), -1, 16, 16)

    def explain(self, images: Images) -> list[Explanation]:
        maps = images.mean(axis=1)
        found = []
        for one in maps:
            top, left = np.unravel_index(one.argmax(), one.shape)
            box = (int(top), int(left), int(top) + 1, int(left) + 1)
            nearest = Explanation(box, 1.0, images[0], row=13, source_box=(1, 2, 3, 4), folder="")
            found.append(nearest)
        return found


GRID = TileGrid(40, 16, 4)  # nine tiles, at 0, 12 and 24


def shown(region: NDArray[np.bool_] | None = None) -> Any:
    return in_tiles(Bright(), TileGrid(40, 16, 4, region))


def images(count: int = 3) -> Images:
    return np.random.default_rng(0).random((count, 3, 40, 40), np.float32)


def test_it_offers_what_makes_sense_for_tiles() -> None:
    kind = kind_in_tiles(Bright)

    assert capabilities_of(kind) == ("encodes", "scores", "localizes", "explains")
    assert issubclass(kind, Inspects)
    assert not issubclass(kind, Decodes)
    assert kind.card is Bright.card


def test_it_learns_from_tiles_and_tells_of_images() -> None:
    method = shown()
    pixels = np.zeros((2, 3, 40, 40), np.uint8)

    events = list(method.fit(ArrayDataset(pixels)))

    assert (len(method.method.seen), method.method.seen.sample_shape) == (18, (3, 16, 16))
    assert sum(event.images for event in events if isinstance(event, Metrics)) == 12 // 9
    told = events[-1]
    assert isinstance(told, Latents)
    assert told.rows.tolist() == [0, 1]
    assert told.latents.tolist() == [[8, 9], [26, 27]]  # the mean of nine rows


def test_the_score_is_the_highest_of_the_tiles_and_maps_are_stitched() -> None:
    seen = images()
    method = shown()

    scores, maps = method.inspect(seen)

    assert np.allclose(scores, seen.mean(axis=1).max(axis=(1, 2)))
    assert np.allclose(maps, seen.mean(axis=1), atol=1e-6)
    assert np.array_equal(method.score(seen), scores)
    assert np.array_equal(method.localize(seen), maps)


def test_latents_are_the_mean_of_the_tiles_and_rebuilt_tiles_are_stitched() -> None:
    seen = np.full((2, 3, 40, 40), 0.25, np.float32)
    seen[1, :, :, :] = 0.75

    assert np.allclose(shown().encode(seen), [[0.25] * 3, [0.75] * 3])
    assert np.allclose(rebuilt(shown(), seen), seen)


def test_the_reason_lies_in_the_image_and_comes_from_an_image() -> None:
    seen = np.zeros((2, 3, 40, 40), np.float32)
    seen[0, :, 30, 5] = seen[1, :, 13, 38] = 1

    first, second = shown().explain(seen)

    assert first.box == (30, 5, 31, 6)
    assert second.box == (13, 38, 14, 39)
    assert first.row == 1  # row 13 of the tiles is tile 4 of image 1
    assert first.source_box == (13, 14, 15, 16)  # it begins at 12, 12


def test_images_are_looked_at_a_few_tiles_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    method, sizes = shown(), []
    plain = method.method.score

    def score(tiles: Images) -> Array:
        sizes.append(len(tiles))
        return plain(tiles)

    monkeypatch.setattr(method.method, "score", score)
    method.score(images(30))

    assert sum(sizes) == 270
    assert max(sizes) == 64


def test_only_what_counts_makes_a_tile_unusual() -> None:
    inside = np.zeros((40, 40), np.bool_)
    inside[:20] = True
    method = shown(inside)
    seen = np.full((2, 3, 40, 40), 0.1, np.float32)
    seen[0, :, 22, 3] = 0.9  # outside, in a tile that the border crosses
    seen[1, :, 18, 3] = 0.5

    assert np.allclose(method.score(seen), [0.1, 0.5])
    assert len(method.grid) == 6
    assert method.method.region is None  # it is told only while it is asked
    assert np.isnan(method.localize(seen)[:, 28:]).all()
    assert np.allclose(method.encode(seen)[1], 0.1, atol=0.01)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InvalidInput, match="40 x 40 pixels are cut into tiles here, got 32 x 32"):
        shown().score(np.zeros((1, 3, 32, 32), np.float32))


@pytest.mark.parametrize("method", ["tsne", "umap", "mds", "probe", "kmeans", "hdbscan"])
def test_methods_of_whole_images_are_refused_before_they_learn(method: str) -> None:
    spec = JobSpec(folder="", method=method, image_size=64, tile=32)

    with pytest.raises(MissingCapability, match="looks at whole images alone, not at tiles"):
        new_method(spec, "cpu")


# ------------------------------------------------------------------------------- whole trainings


def write_specks(root: Path, side: int = 64, speck: int = 3, tests: int = 4) -> Path:
    """Write textures; some of the test images have a speck of a few pixels, and its mask."""
    for number in range(6):
        write_png(root / "train" / "good" / f"{number:02d}.png", plain_texture(number, side))
    for number in range(tests):
        picture = plain_texture(100 + number, side)
        write_png(root / "test" / "good" / f"{number:02d}.png", picture)
        picture = plain_texture(200 + number, side)
        row, column = np.random.default_rng(number).integers(10, side - 10, 2)
        picture[row : row + speck, column : column + speck] = 255 - picture[row, column] // 2
        write_png(root / "test" / "speck" / f"{number:02d}.png", picture)
        mask = np.zeros((side, side), np.uint8)
        mask[row : row + speck, column : column + speck] = 255
        write_png(root / "ground_truth" / "speck" / f"{number:02d}_mask.png", mask)
    return root


def plain_texture(seed: int, side: int) -> NDArray[np.uint8]:
    return texture(np.random.default_rng([5, seed]), side)


def trained(folder: Path, run: Path, region: Region | None = None, **changes: Any) -> Run:
    values = {"method": "patch_memory", "params": MEMORY, "apply_after": True} | changes
    spec = JobSpec(folder=str(folder), device="cpu", threads=1, seed=1, **values)
    made = Run.create(run, spec, region)
    assert train(made) is JobState.FINISHED, made.events()[-1]
    return made


TILES = {"image_size": 64, "tile": 32, "overlap": 8}


@pytest.fixture
def specks(tmp_path: Path) -> Path:
    return write_specks(tmp_path / "斑点")


@pytest.fixture
def tiled(specks: Path, tmp_path: Path) -> Run:
    return trained(specks, tmp_path / "tiled", **TILES)


def result_of(run: Run) -> Result:
    return run.result(ImageFolder(Path(run.spec().folder)).key)


def array(run: Run, name: str) -> NDArray[Any]:
    found = result_of(run).array(name)
    assert found is not None
    return found


def ranked(run: Run) -> float:
    """Return the share of pairs in which the image with a speck scores higher."""
    rows, scores = result_of(run).rows(), array(run, "scores")
    labels, splits = np.array(rows["labels"]), np.array(rows["splits"])
    normal = scores[(labels == "good") & (splits == "test")]
    return float((scores[labels == "speck"][:, None] > normal).mean())


def test_a_speck_that_whole_images_lose_is_found_in_tiles(tmp_path: Path) -> None:
    folder = write_specks(tmp_path / "folder", side=256, speck=2, tests=8)
    pca: dict[str, Any] = {"method": "pca", "params": {}}

    whole = trained(folder, tmp_path / "whole", image_size=64, **pca)
    tiled = trained(folder, tmp_path / "tiled", image_size=256, tile=64, overlap=8, **pca)

    assert ranked(whole) < 0.7
    assert ranked(tiled) == 1.0
    maps, rows = array(tiled, "maps"), result_of(tiled).rows()
    assert maps.shape[1:] == (256, 256)
    for place, path in enumerate(rows["paths"]):
        if rows["labels"][place] == "speck":
            mask = np.array(Image.open(folder / rows["masks"][place])) > 0
            peak = np.unravel_index(maps[place].argmax(), maps[place].shape)
            assert np.abs(np.argwhere(mask).mean(axis=0) - peak).max() < 4, path


def test_the_window_is_answered_for_whole_images(specks: Path, tiled: Run) -> None:
    desk = _Desk(tiled.path, str(specks), "cpu")
    rows = result_of(tiled).rows()
    place = rows["labels"].index("speck")
    image_id = int(array(tiled, "ids")[place])

    header, arrays = desk._explain({"id": image_id}, {})
    assert header["path"] in (tiled.data() or {})["paths"]
    top, left, bottom, right = header["box"]
    assert 0 <= top < bottom <= 1
    assert 0 <= left < right <= 1
    assert 0 <= min(header["source_box"]) <= max(header["source_box"]) <= 1
    assert arrays["picture"].ndim == 3

    answer = desk._localize({"ids": [image_id]}, {})[1]
    assert np.allclose(answer["maps"][0], array(tiled, "maps")[place], atol=1e-4)
    assert np.allclose(answer["scores"][0], array(tiled, "scores")[place], atol=1e-4)
    blocks = desk._describe({"ids": [image_id]}, {})[1]
    assert blocks["latents"].shape == (1, array(tiled, "latents").shape[1])


def test_a_tiled_run_serves_as_encoder_of_whole_images_and_of_tiles(
    specks: Path, tiled: Run, tmp_path: Path
) -> None:
    params = {"encoder": str(tiled.path)}
    groups = trained(specks, tmp_path / "k", method="kmeans", params=params, image_size=64)
    far = trained(
        specks,
        tmp_path / "lof",
        method="outlier_lof",
        params=params,
        **TILES,
    )

    assert len(array(groups, "clusters")) == len(array(tiled, "scores"))
    assert array(far, "scores").shape == array(tiled, "scores").shape


def test_a_network_that_learned_from_tiles_is_built_upon_by_whole_images(
    specks: Path, tmp_path: Path
) -> None:
    spec = dense_spec(specks, image_size=64, tile=32, params={"architecture": "conv", "epochs": 1})
    network = Run.create(tmp_path / "network", spec)
    assert train(network) is JobState.FINISHED, network.events()[-1]

    params = {"encoder": str(network.path)}
    whole = trained(specks, tmp_path / "whole", method="padim", params=params, image_size=32)
    cut = trained(specks, tmp_path / "cut", method="padim", params=params, **TILES)
    spec = cut.spec().model_copy(update={"tile": 0, "overlap": 0})
    other = Run.create(tmp_path / "other", spec)

    assert array(whole, "maps").shape[1:] == (32, 32)
    assert array(cut, "maps").shape[1:] == (64, 64)
    assert train(other) is JobState.FAILED
    assert "at the size that it was trained on" in other.events()[-1]["detail"]


def test_an_image_of_the_training_is_compared_with_other_images_alone(
    specks: Path, tmp_path: Path
) -> None:
    spoilt = specks / "train" / "good" / "02.png"
    pixels = np.array(Image.open(spoilt))
    pixels[28:36, 28:36] = 255  # where tiles overlap: it is seen in several of them
    write_png(spoilt, pixels)

    run = trained(specks, tmp_path / "run", **TILES)

    scores = dict(zip(result_of(run).rows()["paths"], array(run, "scores"), strict=True))
    usual = [score for path, score in scores.items() if "/good/" in path and "02.png" not in path]
    assert scores["train/good/02.png"] > 1.3 * max(usual)


def test_images_that_arrive_score_as_they_do_in_the_folder(specks: Path, tiled: Run) -> None:
    folder, rows = ImageFolder(specks), result_of(tiled).rows()
    scorer = Scorer(tiled, "cpu")

    scores = scorer.scores([scorer.decoded(folder, path) for path in rows["paths"][:4]])

    assert np.allclose(scores, array(tiled, "scores")[:4], atol=1e-5)


def test_a_memory_begins_from_a_tiled_run_and_tells_its_images(
    specks: Path, tiled: Run, tmp_path: Path
) -> None:
    params = MEMORY | {"start": str(tiled.path)}

    again = trained(specks, tmp_path / "again", params=params, **TILES)

    desk = _Desk(again.path, str(specks), "cpu")
    known = {desk._explain({"id": int(i)}, {})[0]["path"] for i in array(again, "ids")[:6]}
    assert known <= set((tiled.data() or {})["paths"])


def test_what_lies_outside_of_the_region_changes_no_score(specks: Path, tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[:30, 5:] = True
    noisy = write_specks(tmp_path / "noisy")
    random = np.random.default_rng(0)
    for path in noisy.glob("t*/*/*.png"):
        pixels = np.array(Image.open(path))
        pixels[~mask] = random.integers(0, 256, int((~mask).sum()))
        Image.fromarray(pixels).save(path)

    first = trained(specks, tmp_path / "first", Region(mask), **TILES)
    second = trained(noisy, tmp_path / "second", Region(mask), **TILES)

    assert np.array_equal(array(first, "scores"), array(second, "scores"))
    maps = array(first, "maps")
    assert np.isnan(maps[:, ~mask]).all()
    assert np.isfinite(maps[:, mask]).all()


@pytest.mark.usefixtures("every_step_is_told_at_once")
def test_a_stopped_training_on_tiles_resumes_with_the_same_losses(
    mvtec_folder: Path, tmp_path: Path
) -> None:
    spec = dense_spec(mvtec_folder, image_size=24, tile=12, overlap=2, params={"epochs": 2})
    whole = Run.create(tmp_path / "whole", spec)
    assert train(whole) is JobState.FINISHED, whole.events()[-1]
    stopped = Run.create(tmp_path / "stopped", spec)
    at = At(5, "stop")

    assert train(stopped, at.commands, at) is JobState.STOPPED
    assert 0 < len(losses(stopped)) < len(losses(whole))
    assert train(stopped) is JobState.FINISHED

    assert losses(stopped) == losses(whole)
    pictures = sorted(path.name for path in (whole.path / "previews").iterdir())
    assert any("reconstructions" in name for name in pictures)
    told = np.load(sorted((whole.path / "latents").iterdir())[-1])
    assert len(told["latents"]) == len((whole.data() or {})["paths"])


def test_folds_and_held_out_images_are_whole_images(mvtec_folder: Path, tmp_path: Path) -> None:
    run = trained(
        mvtec_folder, tmp_path / "run", image_size=32, tile=16, overlap=4, folds=2, hold_out=0.2
    )

    data = run.data() or {}
    assert len(data["held_out"]) == 2
    assert len(array(run, "unseen")) == len(data["paths"])


def test_an_encoder_of_tiles_is_exported_as_one_of_images(
    mvtec_folder: Path, tmp_path: Path
) -> None:
    spec = dense_spec(mvtec_folder, image_size=24, tile=12, overlap=2, params={"epochs": 1})
    run = Run.create(tmp_path / "run", spec)
    assert train(run) is JobState.FINISHED

    with Narrator(run) as narrator:
        made = export_encoder(run, tmp_path / "encoder.ts", mvtec_folder, narrator)

    assert made.sample_shape == (1, 24, 24)
    assert made.difference < 1e-4
    assert encoder_module(trained_method(run.path, "cpu")) is not None


def test_what_a_tiled_run_cannot_do_is_one_sentence(mvtec_folder: Path, tmp_path: Path) -> None:
    spec = dense_spec(mvtec_folder, image_size=24, tile=12)
    run = Run.create(tmp_path / "run", spec)

    with pytest.raises(MissingCapability, match="cannot make images"):
        require_capability(run, Decodes, "make images")


def test_the_report_says_how_to_cut_again(mvtec_folder: Path, tmp_path: Path) -> None:
    spec = dense_spec(mvtec_folder, image_size=24, tile=12, overlap=2)

    assert "--image-size 24 --seed 3 --tile 12 --overlap 2" in training_command(spec, tmp_path)


@pytest.fixture(autouse=True)
def bright_stays_out_of_the_way() -> Iterator[None]:
    """The kinds that are made here are not kept for other tests."""
    yield
    kind_in_tiles.cache_clear()
    assert find_method("patch_memory")[0].card.id == "patch_memory"
