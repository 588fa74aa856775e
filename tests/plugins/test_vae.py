"""What only the variational autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.sdk.views import Curve, ImageGrid
from plugins.vae.vae import VAE, VAEParams, divergence
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 16, "latent_dim": 4}


def vae(**values: object) -> VAE:
    return VAE(VAEParams.parse(QUICK | values))


def trained(**values: object) -> VAE:
    method = vae(**values)
    last_metrics(method.fit(shaded(64)))
    return method


def test_the_divergence_of_a_standard_normal_is_zero() -> None:
    assert divergence(torch.zeros(3), torch.zeros(3)).abs().max() == 0


def test_the_divergence_is_that_of_the_textbook() -> None:
    mean, log_var = torch.randn(5, 3), torch.randn(5, 3)

    expected = kl_divergence(Normal(mean, torch.exp(log_var / 2)), Normal(0.0, 1.0))

    torch.testing.assert_close(divergence(mean, log_var), expected)


def test_likelihoods_are_summed_over_all_values_of_an_image() -> None:
    logits, images = torch.randn(4, 1, 16, 16), torch.rand(4, 1, 16, 16).round()
    gaussian, bernoulli = trained(), trained(likelihood="bernoulli")
    deviation = gaussian.noise.sqrt()

    torch.testing.assert_close(
        bernoulli.negative_log_likelihood(logits, images),
        -Bernoulli(logits=logits).log_prob(images).sum(dim=(1, 2, 3)),
    )
    torch.testing.assert_close(
        gaussian.negative_log_likelihood(logits, images),
        -Normal(logits.sigmoid(), deviation).log_prob(images).sum(dim=(1, 2, 3)),
    )


def test_the_variance_of_the_gaussian_is_the_best_one() -> None:
    method = trained(learning_rate=1e-8, batch_size=64)
    x = torch.from_numpy(shaded(64).images(slice(None)))
    with torch.no_grad():
        logits = method.decoder(method.posterior(x)[0])
        best = method.negative_log_likelihood(logits, x).mean()
        for factor in (0.8, 1.25):
            method.noise.mul_(factor)
            assert method.negative_log_likelihood(logits, x).mean() > best
            method.noise.div_(factor)


def test_the_loss_is_likelihood_and_weighted_divergence() -> None:
    values = last_metrics(vae(beta=3.0, warm_up=0).fit(shaded(16))).values

    assert values["loss"] == pytest.approx(values["nll"] + 3 * values["kl"], rel=1e-4)
    assert values["elbo"] == pytest.approx(-values["nll"] - values["kl"], rel=1e-4)


def test_the_divergence_counts_little_while_it_warms_up() -> None:
    events = vae(beta=2.0, warm_up=1.0, least_steps=10).fit(shaded(16))

    told = [event.values for event in events if isinstance(event, Metrics)]
    weights = [(values["loss"] - values["nll"]) / values["kl"] for values in told]

    np.testing.assert_allclose(weights, 2 * np.arange(1, 11) / 10, rtol=1e-2)


def test_free_bits_charge_no_dimension_less() -> None:
    values = last_metrics(vae(free_bits=5.0, warm_up=0, least_steps=1).fit(shaded(16))).values

    assert values["kl"] < 5 * 4
    assert values["loss"] - values["nll"] == pytest.approx(5 * 4, rel=1e-3)


def test_a_heavy_divergence_puts_dimensions_to_sleep_and_none_keeps_them_awake() -> None:
    awake = trained(beta=0.0, least_steps=150)
    asleep = trained(beta=100.0, least_steps=150, warm_up=0, likelihood="bernoulli")

    assert (awake.code_variances() > 0.01).all()
    assert not (asleep.code_variances() > 0.01).any()


def test_by_default_faint_photographs_do_not_collapse() -> None:
    method = trained(least_steps=200)

    x = shaded(32, seed=9).images(slice(None))
    error = np.square(method.decode(method.encode(x)) - x).mean()
    assert (method.code_variances() > 0.01).sum() >= 3
    assert error < 0.2 * x.var(axis=0).mean()


def test_views_show_the_divergence_of_each_dimension() -> None:
    kl, active, _, traversal, drawn = trained().views()

    assert isinstance(kl, Curve)
    assert isinstance(active, Curve)
    assert (np.diff(kl.lines["KL"][1]) <= 0).all()
    assert active.marks == {"active above": 0.01}
    assert isinstance(traversal, ImageGrid)
    assert traversal.images.shape == (4 * 7, 1, 16, 16)
    assert isinstance(drawn, ImageGrid)
    assert len(drawn.images) == 32


def test_the_middle_of_every_traversal_is_the_same_image() -> None:
    traversal = trained(least_steps=50).views()[3]

    assert isinstance(traversal, ImageGrid)
    rows = traversal.images.reshape(4, 7, -1)
    np.testing.assert_allclose(rows[:, 3], rows[:1, 3].repeat(4, axis=0), atol=1e-6)
    assert np.abs(rows[0, 0] - rows[0, 6]).max() > 0.01


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_the_trivial_likelihood_is_that_of_the_mean_image(likelihood: str) -> None:
    data = shaded(64)
    method = vae(likelihood=likelihood)

    lines = {line.curve: line for line in method.fit(data) if isinstance(line, TrivialValue)}

    x = torch.from_numpy(data.images(slice(None)))
    mean = x.mean(dim=0)
    expected = (
        Normal(mean, (x - mean).square().mean().sqrt()).log_prob(x)
        if likelihood == "gaussian"
        else -functional.binary_cross_entropy(mean.expand_as(x), x, reduction="none")
    )
    assert lines["elbo"].value == pytest.approx(float(expected.sum() / 64), rel=1e-4)
    assert lines["nll"].value == -lines["elbo"].value
    assert lines["kl"].stays == "below"


def test_the_loss_is_that_of_pythae() -> None:
    pythae = pytest.importorskip("pythae.models")
    model = pythae.VAE(pythae.VAEConfig(input_dim=(1, 16, 16), latent_dim=4))
    logits, x = torch.randn(5, 1, 16, 16), torch.rand(5, 1, 16, 16).round()
    mean, log_var = torch.randn(5, 4), torch.randn(5, 4)
    model.model_config.reconstruction_loss = "bce"

    theirs = model.loss_function(logits.sigmoid(), x, mean, log_var, mean)

    method = trained(likelihood="bernoulli")
    ours = method.negative_log_likelihood(logits, x), divergence(mean, log_var).sum(dim=1)
    torch.testing.assert_close(ours[0].mean(), theirs[1], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(ours[1].mean(), theirs[2])


def test_samples_depend_on_their_seed_alone() -> None:
    method = trained()
    first = method.generate(4, seed=1)
    torch.rand(3)

    np.testing.assert_array_equal(first, method.generate(4, seed=1))
    assert not np.array_equal(first, method.generate(4, seed=2))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shared
def test_mnist_costs_less_than_110_nats_after_five_epochs(shared_data: Path, bar: Bar) -> None:
    params = VAEParams.parse({**VAE.presets[0].values, "epochs": 5})
    method = VAE(params)
    last_metrics(method.fit(ArrayDataset(digits(shared_data, "train"))))

    torch.manual_seed(0)
    x = torch.bernoulli(torch.from_numpy(as_images(digits(shared_data, "t10k"))))
    with torch.no_grad():
        mean, log_var = method.posterior(x)
        z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
        kl = divergence(mean, log_var).sum(dim=1)
        nll = method.negative_log_likelihood(method.decoder(z), x)

    bar("vae", "MNIST -ELBO, nats (base rate)", float((nll + kl).mean()), below=110, trivial=206.0)
    bar("vae", "MNIST KL, nats", float(kl.mean()), above=10)
    bar("vae", "active units of 20", float((mean.var(dim=0) > 0.01).sum()), above=10)
