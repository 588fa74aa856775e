"""The patch memory scores what it never saw, localises it, and needs nothing but its state."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Metrics, Note
from desktop_app.sdk.views import Curve, ImageGrid, Table
from desktop_app.toolbox.features import encoder_of
from desktop_app.toolbox.networks import ConvEncoder
from desktop_app.toolbox.torch_method import TorchMethod
from plugins.patch_memory import patch_memory
from plugins.patch_memory.patch_memory import PatchMemory, PatchMemoryParams
from plugins.pca.pca import PCA
from plugins.vae.vae import VAE, VAEParams
from tests.plugins.textures import interrupted, scratched, stripes, weight_file

Pixels = NDArray[np.uint8]
SMALL = {"filters": 8, "coreset_least": 60, "coreset_limit": 300, "batch_size": 8}


def fitted(pixels: Pixels, **values: object) -> PatchMemory:
    method = PatchMemory(PatchMemoryParams.parse({**SMALL, **values}))
    for _ in method.fit(ArrayDataset(pixels)):
        pass
    return method


@pytest.mark.parametrize("channels", [1, 3])
def test_what_was_never_seen_scores_higher_and_is_found(channels: int) -> None:
    method = fitted(stripes(60, channels=channels), coreset_least=4000, coreset_limit=4000)
    good = stripes(10, channels=channels, seed=5)
    bad, masks = scratched(good)

    scores, maps = method.inspect(as_images(np.concatenate([good, bad])))

    assert (scores[10:, None] > scores[None, :10]).mean() > 0.97
    assert maps.shape == (20, 48, 48)
    assert maps[10:][masks].mean() > 1.5 * maps[10:][~masks].mean()


def test_a_remembered_image_scores_nearly_nothing() -> None:
    pixels = stripes(6)
    method = fitted(pixels, coreset_least=5000, coreset_limit=5000, leave_one_out=False)

    assert method.score(as_images(pixels)).max() < 0.02


def test_a_folder_with_anomalies_is_ranked_by_a_memory_of_itself() -> None:
    bad, masks = scratched(stripes(5, seed=5))
    images = as_images(pixels := np.concatenate([stripes(40), bad]))
    apart = fitted(pixels, coreset_least=4000, coreset_limit=4000)
    blind = fitted(pixels, coreset_least=4000, coreset_limit=4000, leave_one_out=False)

    def ranked(method: PatchMemory) -> float:
        scores = method.score(images)
        return float((scores[40:, None] > scores[None, :40]).mean())

    assert ranked(apart) > 0.95 > 0.8 > ranked(blind)
    maps = apart.localize(images[40:])
    assert maps[masks].mean() > 1.5 * maps[~masks].mean()


def test_an_image_is_left_out_with_its_copies_and_after_the_state_was_restored() -> None:
    pixels = stripes(12)
    twice = np.concatenate([pixels, pixels[:1]])
    once, both = fitted(pixels, coreset_share=1.0), fitted(twice, coreset_share=1.0)
    again = PatchMemory(both.params)
    again.restore(both.state())

    asked = as_images(pixels[:1])
    assert both.score(asked) > 0.5 * once.score(asked) > 0.1
    np.testing.assert_array_equal(again.score(asked), both.score(asked))
    assert both.explain(asked)[0].row not in (0, 12)


def test_an_only_image_is_compared_with_itself() -> None:
    method = fitted(stripes(1))
    assert np.isfinite(method.score(as_images(stripes(1)))).all()


def test_the_score_is_the_mean_of_the_largest_distances() -> None:
    method = fitted(stripes(12), top_share=0.0, neighbours=2)
    images = as_images(scratched(stripes(3, seed=9))[0])
    patches = method._patches.of(torch.from_numpy(images)).flatten(1, 2)
    memory = method._memory.points

    expected = torch.cdist(patches, memory).topk(2, largest=False).values.mean(2).amax(1)

    np.testing.assert_allclose(method.score(images), expected.numpy(), rtol=1e-3)


def test_reweighting_follows_equation_7() -> None:
    images = as_images(scratched(stripes(3, seed=9))[0])
    plain, weighted = (fitted(stripes(12), top_share=0.0, reweight=on) for on in (False, True))
    memory = plain._memory.points
    patches = plain._patches.of(torch.from_numpy(images)).flatten(1, 2)
    for number, score in enumerate(plain.score(images)):
        distances = torch.cdist(patches[number], memory)
        place = int(distances.amin(1).argmax())
        nearest = int(distances[place].argmin())
        around = torch.cdist(memory[nearest][None], memory)[0].topk(9, largest=False).indices
        exponentials = distances[place][around].exp()
        weight = 1 - float(distances[place, nearest].exp() / exponentials.sum())
        assert weighted.score(images[number : number + 1])[0] == pytest.approx(
            score * weight, rel=1e-3
        )


def test_weights_are_reported_and_the_state_needs_no_file(tmp_path: Path) -> None:
    path = weight_file(tmp_path)
    method = PatchMemory(PatchMemoryParams.parse({**SMALL, "weights": str(path)}))
    events = list(method.fit(ArrayDataset(stripes(8))))
    path.unlink()

    again = PatchMemory(method.params)
    again.restore(method.state())

    notes = [event.text for event in events if isinstance(event, Note)]
    assert len(notes) == 1
    assert "squeezenet1_1, imported from 'squeezenet.pth'" in notes[0]
    images = as_images(stripes(4, seed=3))
    np.testing.assert_array_equal(again.score(images), method.score(images))
    stored = [a for name, a in method.state().arrays.items() if "features.0.weight" in name]
    assert [array.dtype for array in stored] == [np.float16]
    table = method.views()[0]
    assert isinstance(table, Table)
    assert ("architecture", "squeezenet1_1") in table.rows


def test_an_encoder_trained_here_gives_features_and_is_kept() -> None:
    vae = VAE(VAEParams(epochs=1, least_steps=4, batch_size=8))
    pixels = stripes(12, size=32)
    for _ in vae.fit(ArrayDataset(pixels)):
        pass
    method = PatchMemory(PatchMemoryParams.parse({**SMALL, "encoder": "run"}))
    method.attach_run("encoder", vae)
    events = list(method.fit(ArrayDataset(pixels)))

    again = PatchMemory(method.params)  # nothing is attached: the run may be gone
    again.restore(method.state())

    assert any("trained here" in event.text for event in events if isinstance(event, Note))
    images = as_images(scratched(pixels)[0])
    np.testing.assert_array_equal(again.localize(images), method.localize(images))


def test_a_method_without_convolutions_is_refused_as_encoder() -> None:
    pca = PCA()
    for _ in pca.fit(ArrayDataset(stripes(6, size=16))):
        pass
    with pytest.raises(MissingCapability, match="convolutional encoder"):
        PatchMemory().attach_run("encoder", pca)


def test_an_interrupted_training_ends_with_the_same_events_and_memory() -> None:
    data = ArrayDataset(stripes(20))
    params = PatchMemoryParams.parse({**SMALL, "coreset_limit": 700, "coreset_least": 700})
    whole = PatchMemory(params, seed=3)
    expected = [event for event in whole.fit(data) if isinstance(event, Metrics)]
    for stop in (1, len(expected) // 2, len(expected) - 1):
        first, second = PatchMemory(params, seed=3), PatchMemory(params, seed=3)
        for event in first.fit(data):
            if isinstance(event, Metrics) and event.step == stop:
                break
        second.restore(first.state())

        rest = [event for event in second.fit(data) if isinstance(event, Metrics)]

        assert rest == expected[stop:]
        np.testing.assert_array_equal(
            second.state().arrays["learned/memory"], whole.state().arrays["learned/memory"]
        )


def test_progress_rises_to_one_and_the_covering_radius_falls() -> None:
    method = PatchMemory(PatchMemoryParams.parse({**SMALL, "coreset_limit": 2000}))
    events = [e for e in method.fit(ArrayDataset(stripes(20))) if isinstance(e, Metrics)]
    progress = [event.progress for event in events]
    radii = [e.values["covering_radius"] for e in events if "covering_radius" in e.values]

    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert radii == sorted(radii, reverse=True)
    kinds = [type(view) for view in method.views()]
    assert kinds == [Table, ImageGrid, Curve, ImageGrid]


def test_the_candidates_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_memory, "_MOST_CANDIDATES", 100)
    method = PatchMemory(PatchMemoryParams.parse(SMALL))
    events = [e for e in method.fit(ArrayDataset(stripes(30))) if isinstance(e, Metrics)]

    gathered = [event.values["patches"] for event in events if "patches" in event.values]
    assert gathered[-1] == 90  # three of each image
    assert len(method.state().arrays["learned/memory"]) <= 90


@pytest.mark.parametrize("size", [16, 33, 130])
def test_small_and_odd_images_are_taken(size: int) -> None:
    method = fitted(stripes(5, size=size, channels=1))
    scores, maps = method.inspect(as_images(stripes(2, size=size, channels=1, seed=1)))

    assert np.isfinite(scores).all()
    assert maps.shape == (2, size, size)


def test_scoring_before_training_and_other_sizes_are_told() -> None:
    with pytest.raises(InvalidInput, match="not trained yet"):
        PatchMemory().score(as_images(stripes(1)))
    with pytest.raises(InvalidInput, match="was trained on images of shape"):
        fitted(stripes(5)).score(as_images(stripes(1, size=64)))


def test_an_encoder_is_found_by_name_or_by_its_convolutions() -> None:
    class Other(TorchMethod[VAEParams]):
        card = VAE.card

        def build(self, sample_shape: tuple[int, int, int]) -> None:
            self.body = ConvEncoder(sample_shape, 4, nodes=16)

        def learn(self, data: object) -> object:  # type: ignore[override]
            return iter(())

    other = Other(VAEParams())
    list(other.fit(ArrayDataset(stripes(4, size=32))))
    method = PatchMemory()

    method.attach_run("encoder", other)

    assert method._source is not None
    assert list(method._source[0].state_dict()) == list(encoder_of(other).state_dict())


@pytest.mark.shared
def test_the_real_backbone_finds_broken_cookies(shared_data: Path) -> None:
    def read(folder: str) -> Pixels:
        paths = sorted((shared_data / "aws_cookies" / folder).iterdir())
        opened = [Image.open(path).convert("RGB").resize((128, 128)) for path in paths]
        return np.stack([np.asarray(image).transpose(2, 0, 1) for image in opened])

    weights = shared_data / "weights" / "mobilenet_v2_qat_fp16_tv.pth"
    method = PatchMemory(PatchMemoryParams(weights=str(weights), coreset_limit=1000))
    for _ in method.fit(ArrayDataset(read("train/good"))):
        pass

    good, broken = (method.score(as_images(read(f"test/{kind}"))) for kind in ("good", "broken"))

    assert (broken[:, None] > good[None]).mean() > 0.97


def test_the_reason_is_the_nearest_remembered_patch_and_where_it_came_from() -> None:
    pixels = stripes(6)
    method = fitted(pixels, coreset_least=5000, coreset_limit=5000, leave_one_out=False)
    moved = pixels[3:4].copy()
    moved[:, :, 20:28, 20:28] = 128

    known, unusual = method.explain(as_images(np.concatenate([pixels[2:3], moved])))

    assert (known.row, known.generation, known.folder) == (2, 0, "array")
    assert known.box == known.source_box
    assert known.distance < 0.02 < unusual.distance
    top, left, bottom, right = unusual.box
    assert top < 28 and bottom > 20 and left < 28 and right > 20  # noqa: PT018
    top, left, bottom, right = unusual.source_box
    crop = as_images(pixels[unusual.row, :, top:bottom, left:right])
    np.testing.assert_allclose(unusual.picture, crop, atol=1e-6)


def test_reasons_survive_the_state() -> None:
    method = fitted(stripes(6))
    again = PatchMemory(method.params)
    again.restore(method.state())
    images = as_images(scratched(stripes(3, seed=3))[0])

    for first, second in zip(method.explain(images), again.explain(images), strict=True):
        np.testing.assert_array_equal(first.picture, second.picture)
        assert (first.row, first.box, first.distance) == (second.row, second.box, second.distance)


def continued(former: PatchMemory, **values: object) -> PatchMemory:
    method = PatchMemory(PatchMemoryParams.parse({**SMALL, "start": "run", **values}), seed=1)
    method.attach_run("start", former)
    return method


def test_normals_are_added_to_a_former_memory() -> None:
    first, second = stripes(8), 255 - stripes(8, seed=8) // 2
    former = fitted(first, coreset_limit=2000, coreset_least=2000)
    both = continued(former, coreset_limit=4000, coreset_least=4000)
    events = list(both.fit(ArrayDataset(second, "second")))

    old, new = as_images(first), as_images(second)
    assert former.score(new).min() > 2 * former.score(old).max()
    assert both.score(new).max() < 0.5 * former.score(new).min()
    assert both.score(old).max() <= former.score(old).max() + 0.05
    assert any("2000 patches of the former run" in getattr(e, "text", "") for e in events)
    assert len(both.state().arrays["learned/memory"]) == 4000
    reasons = both.explain(np.concatenate([old, new]))
    assert [(one.generation, one.folder) for one in reasons[8:]] == [(0, "second")] * 8
    assert (1, "array") in [(one.generation, one.folder) for one in reasons[:8]]


def test_the_memory_of_both_folders_stays_bounded() -> None:
    former = fitted(stripes(8))
    both = continued(former, coreset_limit=60)
    for _ in both.fit(ArrayDataset(stripes(8, seed=2))):
        pass

    assert len(both.state().arrays["learned/memory"]) == 60


def test_a_few_more_images_do_not_shrink_the_memory() -> None:
    former = fitted(stripes(40), coreset_share=0.02, coreset_least=10)
    both = continued(former, coreset_share=0.02, coreset_least=10)
    for _ in both.fit(ArrayDataset(stripes(2, seed=2))):
        pass

    before, after = (len(m.state().arrays["learned/memory"]) for m in (former, both))
    assert after == round(before * 42 / 40)


def test_an_interrupted_addition_ends_with_the_same_memory() -> None:
    pixels, former = stripes(10, seed=2, size=32), fitted(stripes(6, size=32))
    whole = continued(former)
    steps = [e.step for e in whole.fit(ArrayDataset(pixels)) if isinstance(e, Metrics)]
    for stop in (steps[0], steps[-2]):
        other = interrupted(continued(former), continued(former), pixels, stop)

        for name in ("memory", "origins", "pictures"):
            key = f"learned/{name}"
            np.testing.assert_array_equal(other.state().arrays[key], whole.state().arrays[key])


def test_a_former_run_must_suit_images_and_features(tmp_path: Path) -> None:
    former = fitted(stripes(5))
    with pytest.raises(InvalidInput, match="The run to begin from was trained on images of"):
        list(continued(former).fit(ArrayDataset(stripes(2, size=64))))
    with pytest.raises(InvalidInput, match="looks at other features"):
        list(continued(former, weights=str(weight_file(tmp_path))).fit(ArrayDataset(stripes(2))))
    with pytest.raises(MissingCapability, match="begins from a finished run of its own kind"):
        continued(PatchMemory())
    with pytest.raises(InvalidInput, match="not trained yet"):
        PatchMemory().explain(as_images(stripes(1)))
