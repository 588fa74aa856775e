"""Nested states become arrays and JSON, and come back."""

import json

import numpy as np
import torch

from desktop_app.toolbox.tree import flatten, unflatten


def test_a_nested_state_comes_back_through_json() -> None:
    tree = {"a": [torch.arange(3), {"b": torch.tensor(1.5)}], "c": True, "d": None, "e": "text"}

    arrays, plain = flatten(tree, "root")
    back = unflatten(json.loads(json.dumps(plain)), arrays)

    assert torch.equal(back["a"][0], torch.arange(3))
    assert back["a"][1]["b"].item() == 1.5
    assert (back["c"], back["d"], back["e"]) == (True, None, "text")


def test_numbered_keys_of_optimisers_stay_numbers() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    adam = torch.optim.Adam([weight])
    weight.sum().backward()
    adam.step()

    arrays, plain = flatten(adam.state_dict(), "adam")
    back = unflatten(json.loads(json.dumps(plain)), arrays)

    assert set(back["state"]) == {0}
    assert torch.equal(back["state"][0]["exp_avg"], adam.state_dict()["state"][0]["exp_avg"])


def test_arrays_are_copies() -> None:
    weight = torch.zeros(2)

    arrays, _ = flatten({"w": weight}, "x")
    weight += 1

    np.testing.assert_array_equal(arrays["x/w"], [0, 0])
