"""What only the autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid
from desktop_app.toolbox.networks import ConvEncoder
from plugins.autoencoder.autoencoder import Autoencoder, AutoencoderParams
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 16, "code_size": 4}


def autoencoder(**values: object) -> Autoencoder:
    return Autoencoder(AutoencoderParams.parse(QUICK | values))


@pytest.mark.parametrize("architecture", ["conv", "dense"])
@pytest.mark.parametrize(("channels", "side"), [(1, 16), (3, 21), (1, 50)])
def test_it_takes_images_of_any_size(architecture: str, channels: int, side: int) -> None:
    data = shaded(6, channels, side)
    method = autoencoder(architecture=architecture)

    last_metrics(method.fit(data))

    codes = method.encode(data.images(slice(None)))
    assert codes.shape == (6, 4)
    assert method.decode(codes).shape == (6, channels, side, side)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_losses_equal_their_formulas(loss: str) -> None:
    data = shaded(8)
    method = autoencoder(loss=loss, learning_rate=1e-8, blend=0, least_steps=1)
    x = data.images(slice(None))

    values = last_metrics(method.fit(data)).values

    y = method.decode(method.encode(x))
    mse = np.square(x - y).mean()
    bce = -(x * np.log(y) + (1 - x) * np.log(1 - y)).mean()
    assert values["mse"] == pytest.approx(mse, rel=1e-3)
    assert values["loss"] == pytest.approx({"mse": mse, "bce": bce}[loss], rel=1e-3)
    assert values["explained_variance"] == pytest.approx(1 - mse / x.var(axis=0).mean(), abs=1e-3)


@pytest.mark.parametrize("architecture", ["conv", "dense"])
def test_three_numbers_describe_images_of_three_causes(architecture: str) -> None:
    method = autoencoder(architecture=architecture, code_size=3, least_steps=200, nodes=32)

    last_metrics(method.fit(shaded(64)))

    x = shaded(32, seed=9).images(slice(None))
    error = np.square(method.decode(method.encode(x)) - x).mean()
    assert error < 0.1 * x.var(axis=0).mean()


def test_layers_and_nodes_shape_the_networks() -> None:
    method = autoencoder(architecture="dense", layers=3, nodes=40)

    last_metrics(method.fit(shaded(4)))

    widths = [
        w.shape[0] for name, w in method.encoder.named_parameters() if name.endswith("weight")
    ]
    assert widths == [40, 20, 10, 4]


def test_views_show_the_use_of_the_code_and_dense_filters() -> None:
    method = autoencoder(architecture="dense", nodes=10)
    last_metrics(method.fit(shaded(8, channels=3)))

    spread, usual, filters = method.views()

    assert isinstance(spread, Curve)
    heights = spread.lines["standard deviation"][1]
    assert (np.diff(heights) <= 0).all()
    assert heights[0] > 0
    assert isinstance(usual, HeatMap)
    assert usual.matrix.shape == (16, 16)
    assert isinstance(filters, ImageGrid)
    assert filters.images.shape == (10, 3, 16, 16)


@pytest.mark.parametrize("loss", ["mse", "bce"])
@pytest.mark.parametrize("blend", [0, 32, 1000])
def test_the_trivial_loss_is_that_of_the_mean_image(loss: str, blend: int) -> None:
    data = shaded(64)
    method = autoencoder(loss=loss, blend=blend, least_steps=40, learning_rate=1e-8)

    told = list(method.fit(data))

    line = next(event for event in told if isinstance(event, TrivialValue))
    losses = [event.values["loss"] for event in told if isinstance(event, Metrics)]
    assert line.curve == "loss"
    assert line.value == pytest.approx(np.mean(losses), rel=0.1 if loss == "mse" else 0.01)


def test_components_are_a_line_without_a_warning() -> None:
    lines = [line for line in autoencoder().fit(shaded(64)) if isinstance(line, TrivialValue)]

    assert [line.stays for line in lines if line.meaning == "mean image"] == ["near", "near"]
    (components,) = [line for line in lines if line.meaning.startswith("PCA")]
    assert components.stays is None
    assert components.value < 1e-4 < lines[0].value  # three causes, four components


def test_the_experiment_on_depth_has_encoders_of_one_to_four_layers() -> None:
    depths = []
    for values in Autoencoder.experiments[0].variants.values():
        method = autoencoder(**values)
        method.build((1, 32, 32))
        assert isinstance(method.encoder, ConvEncoder)
        depths.append(len(method.encoder.blocks))

    assert depths == [1, 2, 3, 4]


def test_before_it_is_trained_it_has_no_views() -> None:
    assert not autoencoder().views()


@pytest.mark.shared
@pytest.mark.slow
def test_blends_help_a_folder_of_31_photographs(shared_data: Path) -> None:
    from desktop_app.core.decoding import decode

    def photographs(folder: str) -> ArrayDataset:
        files = sorted((shared_data / "aws_cookies" / folder).iterdir())
        pixels = np.stack([decode(file, 32, 3) for file in files])
        return ArrayDataset(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))

    train, test = photographs("train/good"), photographs("test/good").images(slice(None))
    errors = {}
    for blend in (0, 1000):
        method = autoencoder(blend=blend, least_steps=200, nodes=64, code_size=32)
        last_metrics(method.fit(train))
        errors[blend] = np.square(method.decode(method.encode(test)) - test).mean()

    mean_image = np.square(train.images(slice(None)).mean(axis=0) - test).mean()
    assert errors[1000] < errors[0]
    assert errors[1000] < 0.9 * mean_image


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shared
def test_mnist_is_rebuilt_far_better_than_by_as_many_components(
    shared_data: Path, bar: Bar
) -> None:
    method = Autoencoder(AutoencoderParams.parse(Autoencoder.presets[0].values))

    last_metrics(method.fit(ArrayDataset(digits(shared_data, "train"))))

    x = as_images(digits(shared_data, "t10k"))
    error = float(np.square(method.decode(method.encode(x)) - x).mean())
    bar("autoencoder", "MNIST test MSE, 32 numbers (PCA)", error, below=0.012, trivial=0.0168)
