"""Boltzmann machines small enough to be enumerated."""

from itertools import product

import numpy as np
import pytest
import torch
from sklearn.neural_network import BernoulliRBM

from desktop_app.sdk.data import ArrayDataset
from desktop_app.toolbox.boltzmann import (
    BoltzmannMachine,
    ImageUnits,
    LogPartition,
    MachineParams,
    annealed_partition,
    tossed,
)

PARAMS = MachineParams(learning_rate=0.1, weight_decay=0.01)


def machine(visible: int = 6, hidden: int = 4, spread: float = 1.0) -> BoltzmannMachine:
    torch.manual_seed(0)
    made = BoltzmannMachine(visible, hidden)
    for part in (made.weights, made.visible_bias, made.hidden_bias):
        part.normal_(std=spread)
    return made


def states(count: int) -> torch.Tensor:
    """Return all binary vectors (2^n, n)."""
    return torch.tensor(list(product([0.0, 1.0], repeat=count)))


def energy(made: BoltzmannMachine, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """Return E(x, h) of all pairs, as in the formula."""
    return (
        -(x @ made.visible_bias)[:, None] - (h @ made.hidden_bias)[None] - (x @ made.weights @ h.T)
    )


def test_free_energies_are_those_of_scikit_learn() -> None:
    made, x = machine(), states(6)
    theirs = BernoulliRBM(4)
    theirs.components_ = made.weights.T.numpy()
    theirs.intercept_visible_ = made.visible_bias.numpy()
    theirs.intercept_hidden_ = made.hidden_bias.numpy()

    np.testing.assert_allclose(made.free_energy(x), theirs._free_energy(x.numpy()), rtol=1e-5)
    np.testing.assert_allclose(made.hidden(x), theirs._mean_hiddens(x.numpy()), rtol=1e-5)


def test_free_energies_sum_over_all_hidden_states() -> None:
    made, x = machine(), states(6)

    expected = -torch.logsumexp(-energy(made, x, states(4)), dim=1)

    torch.testing.assert_close(made.free_energy(x), expected)


def test_conditional_chances_follow_from_the_energy() -> None:
    made, x, h = machine(), states(6), states(4)
    joint = torch.softmax(-energy(made, x, h).flatten(), 0).view(len(x), len(h))

    torch.testing.assert_close(made.hidden(x), joint @ h / joint.sum(1, keepdim=True))
    torch.testing.assert_close(made.visible(h), joint.T @ x / joint.sum(0)[:, None])


def test_the_free_energy_of_gaussian_units_integrates_to_their_mean() -> None:
    made = machine(1, 3)
    made.kind = "gaussian"
    x = torch.linspace(-30, 30, 20_001)[:, None]
    density = torch.softmax(-made.free_energy(x).double(), 0)
    h = states(3)
    mean = made.visible(h).double().flatten()
    joint = torch.softmax(h.double() @ made.hidden_bias.double() + (mean**2) / 2, 0)

    # summed over x, p(h) ~ exp(c'h + |b + W h|^2 / 2 - |b|^2 / 2), and E[x] = sum p(h) (b + W h)
    assert float(density @ x.double().flatten()) == pytest.approx(float(joint @ mean), abs=1e-3)


def test_gibbs_sampling_reaches_the_distribution_of_the_model() -> None:
    made, x = machine(4, 3), states(4)
    chances = torch.softmax(-made.free_energy(x), 0)
    random = torch.Generator().manual_seed(0)

    drawn, _ = made.gibbs(torch.zeros(20_000, 4), 60, random)

    places = (drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    found = torch.bincount(places, minlength=16) / len(drawn)
    torch.testing.assert_close(found, chances, atol=0.012, rtol=0)


def test_an_update_is_the_difference_of_both_statistics() -> None:
    made = machine()
    before = made.weights.clone(), made.visible_bias.clone(), made.hidden_bias.clone()
    x, y = tossed(torch.full((5, 6), 0.5)), tossed(torch.full((7, 6), 0.5))
    h, g = made.hidden(x), made.hidden(y)

    made.learn((x, h), (y, g), PARAMS, 0.1)
    made.learn((x, h), (y, g), PARAMS.model_copy(update={"learning_rate": 0.0}), 0.1)

    step = torch.zeros(6, 4)
    for row in range(5):
        step += torch.outer(x[row], h[row]) / 5
    for row in range(7):
        step -= torch.outer(y[row], g[row]) / 7
    moved = 0.1 * (step - 0.01 * before[0])
    torch.testing.assert_close(made.weights, before[0] + 1.5 * moved)
    torch.testing.assert_close(made.visible_bias, before[1] + 0.15 * (x.mean(0) - y.mean(0)))
    torch.testing.assert_close(made.hidden_bias, before[2] + 0.15 * (h.mean(0) - g.mean(0)))


def test_long_contrastive_divergence_climbs_the_likelihood() -> None:
    made, x = machine(6, 4, spread=0.05), states(6)[[0, 7, 56, 63]]

    def likelihood() -> float:
        return float(
            (-made.free_energy(x) - torch.logsumexp(-made.free_energy(states(6)), 0)).mean()
        )

    before = likelihood()
    images = x.repeat(50, 1)
    for _ in range(300):
        h = made.hidden(images)
        y = made.after(h, 5)
        made.learn((images, h), (y, made.hidden(y)), PARAMS, 0.1)

    assert before == pytest.approx(-6 * np.log(2), abs=0.05)
    assert likelihood() > -2.5  # no model exceeds -log 4 = -1.39 with four equal images


@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_annealing_finds_the_constant_of_an_enumerated_machine(spread: float) -> None:
    made = machine(8, 5, spread)
    exact = float(torch.logsumexp(-made.free_energy(states(8)), 0))
    random = torch.Generator().manual_seed(1)

    found = _end_of(annealed_partition(made, torch.zeros(8), chains=400, steps=600, random=random))

    assert abs(found.value - exact) < max(4 * found.error, 0.01)
    assert found.error < 0.2


def test_annealing_from_the_machine_itself_is_exact() -> None:
    made = machine(5, 3)
    made.weights.zero_()
    exact = float(torch.logsumexp(-made.free_energy(states(5)), 0))

    found = _end_of(annealed_partition(made, made.visible_bias, chains=10, steps=20))

    assert found.value == pytest.approx(exact, abs=1e-4)


def test_pseudo_likelihoods_have_the_mean_of_all_single_flips() -> None:
    made, x = machine(), states(6)[20:21]
    flipped = (x.repeat(6, 1) - torch.eye(6)).abs()
    exact = torch.nn.functional.logsigmoid(made.free_energy(flipped) - made.free_energy(x)).sum()

    drawn = made.pseudo_likelihood(x.repeat(20_000, 1)).mean()

    torch.testing.assert_close(drawn, exact, rtol=0.03, atol=0)


def test_units_of_photographs_are_deviations_and_come_back() -> None:
    random = np.random.default_rng(0)
    data = ArrayDataset(random.integers(100, 140, (50, 3, 5, 4)).astype(np.uint8))
    units, made = ImageUnits((3, 5, 4)), BoltzmannMachine(60, 4)
    units.fit(made, data, MachineParams(noise=0.5))
    x = torch.from_numpy(data.images(slice(None)))

    assert made.kind == "gaussian"
    assert float(units.of(x).std()) == pytest.approx(2, rel=0.02)
    torch.testing.assert_close(units.images(units.of(x)), x)


def _end_of(estimate: object) -> LogPartition:
    while True:
        try:
            next(estimate)  # type: ignore[call-overload]
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
