"""What only the contractive autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.views import Curve, ImageGrid
from plugins.contractive_ae.contractive_ae import (
    ContractiveAutoencoder,
    ContractiveParams,
    SigmoidLayer,
)
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 16, "code_size": 6}
FORMS = [
    {"form": "one_layer"},
    {"form": "deep", "architecture": "dense"},
    {"form": "deep", "architecture": "conv"},
]


def contractive(**values: object) -> ContractiveAutoencoder:
    return ContractiveAutoencoder(ContractiveParams.parse(QUICK | values))


def trained(**values: object) -> ContractiveAutoencoder:
    method = contractive(**values)
    last_metrics(method.fit(shaded(16, side=8)))
    return method


def squared_norms(method: ContractiveAutoencoder, images: torch.Tensor) -> torch.Tensor:
    """Return |J|_F^2 (N,) by automatic differentiation of one output after the other."""
    whole = torch.autograd.functional.jacobian(lambda x: method.encoder(x).sum(dim=0), images)
    return whole.square().sum(dim=(0, 2, 3, 4))  # (D, N, C, H, W)


def test_the_penalty_of_a_sigmoid_layer_is_exact() -> None:
    method = trained()
    x = torch.rand(5, 1, 8, 8)

    _, slopes = method.code_and_slopes(x)

    torch.testing.assert_close(slopes, squared_norms(method, x))


@pytest.mark.parametrize("form", FORMS[1:])
def test_the_estimate_of_a_deep_encoder_is_right_on_average(form: dict[str, str]) -> None:
    method = trained(**form)
    x = torch.rand(4, 1, 8, 8)
    torch.manual_seed(0)

    with torch.no_grad():
        _, slopes = method.code_and_slopes(x.repeat(400, 1, 1, 1))
    estimates = slopes.view(400, 4).mean(dim=0)

    codes = method.encoder(x).detach()
    expected = squared_norms(method, x) / codes.var(dim=0, correction=0).mean()
    torch.testing.assert_close(estimates, expected, rtol=0.35, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_the_loss_is_error_and_contraction_summed_over_values(form: dict[str, str]) -> None:
    values = last_metrics(contractive(**form, contraction=2.0).fit(shaded(16, side=8))).values

    penalty = 2.0 * values["jacobian_norm"] ** 2 / 64
    assert values["loss"] == pytest.approx(values["mse"] + penalty, rel=1e-4)


def test_a_deep_code_wins_nothing_by_being_small() -> None:
    method = trained(form="deep", architecture="dense")
    x = torch.rand(6, 1, 8, 8)
    torch.manual_seed(0)

    with torch.no_grad():
        before = method.code_and_slopes(x)[1]
        method.encoder.head.weight.mul_(0.1)
        torch.manual_seed(0)
        after = method.code_and_slopes(x)[1]

    torch.testing.assert_close(after, before, rtol=1e-3, atol=0)


def test_the_decoder_shares_the_weights_of_the_sigmoid_layer() -> None:
    method = trained(least_steps=5)
    layer = method.encoder

    assert isinstance(layer, SigmoidLayer)
    assert method.decoder.weight is layer.head.weight
    other = contractive()
    other.restore(method.state())
    assert other.decoder.weight is other.encoder.head.weight


@pytest.mark.parametrize("form", FORMS)
def test_contraction_stills_the_code(form: dict[str, str]) -> None:
    norms = [
        last_metrics(
            contractive(**form, contraction=weight, least_steps=60, learning_rate=0.02).fit(
                shaded(32, side=8)
            )
        ).values["jacobian_norm"]
        for weight in (0.0, 1.0)
    ]

    assert norms[1] < 0.7 * norms[0]


@pytest.mark.parametrize("form", FORMS)
def test_views_show_the_singular_values_of_the_jacobian(form: dict[str, str]) -> None:
    method = trained(**form)

    spectrum, changes, *_ = method.views()

    assert isinstance(spectrum, Curve)
    heights = np.stack([line[1] for line in spectrum.lines.values()])
    assert heights.shape == (3, 6)
    assert (np.diff(heights, axis=1) <= 1e-6).all()
    exact = np.sqrt(squared_norms(method, method.probe[:1]).numpy())
    jacobian = method.jacobian(method.probe[0])
    np.testing.assert_allclose(float(jacobian.norm()), exact[0], rtol=1e-4)
    assert isinstance(changes, ImageGrid)
    assert changes.images.shape == (4 * 6, 1, 8, 8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shared
@pytest.mark.parametrize(
    ("form", "norm", "error"),
    [
        ({"form": "deep", "architecture": "dense", "nodes": 256, "code_size": 32}, 0.5, 1.1),
        ({"form": "one_layer"}, 0.8, 1.3),
    ],
    ids=["deep", "one_layer"],
)
def test_the_code_of_digits_is_stiller_at_little_more_error(
    shared_data: Path, bar: Bar, form: dict[str, object], norm: float, error: float
) -> None:
    data = ArrayDataset(digits(shared_data, "train")[:5000])
    x = torch.from_numpy(as_images(digits(shared_data, "t10k")[:1000]))
    norms, errors = [], []
    for weight in (0.0, 0.03):
        method = ContractiveAutoencoder(ContractiveParams.parse({**form, "contraction": weight}))
        last_metrics(method.fit(data))
        with torch.no_grad():
            codes, slopes = method.code_and_slopes(x)
            errors.append(float((method.decoder(codes).sigmoid() - x).square().mean()))
        norms.append(float(slopes.mean().sqrt()))

    form_of = str(form["form"])
    measure = f"MNIST norm of the Jacobian, {form_of} (plain)"
    bar("contractive_ae", measure, norms[1], below=norm * norms[0], trivial=norms[0])
    measure = f"MNIST MSE, {form_of} (plain)"
    bar("contractive_ae", measure, errors[1], below=error * errors[0], trivial=errors[0])
