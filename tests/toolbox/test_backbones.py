"""Architectures are recognised from weight files, cut off, and stay frozen."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.toolbox.backbones import (
    SpatialFeatures,
    chosen_layers,
    loaded_backbone,
    map_shapes,
    outputs_of,
    rebuilt_backbone,
)
from desktop_app.toolbox.weights import read_weights

SHAPE = (3, 64, 64)


def saved(folder: Path, name: str, classes: int = 5) -> tuple[nn.Module, Path]:
    """Return a random network and the file of its weights."""
    torch.manual_seed(0)
    network = models.get_model(name, weights=None, num_classes=classes).eval()
    torch.save(network.state_dict(), folder / f"{name}.pth")
    return network, folder / f"{name}.pth"


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1", "resnet18", "mnasnet0_5"])
def test_a_file_is_recognised_whatever_its_number_of_classes(tmp_path: Path, name: str) -> None:
    network, path = saved(tmp_path, name)
    backbone, report = loaded_backbone(read_weights(path), "", "", SHAPE)

    images = torch.rand(2, *SHAPE)
    with torch.inference_mode():
        ours = backbone.feature_maps(images)
        inputs = (images - backbone.mean) / backbone.deviation
        theirs = outputs_of(network, backbone.layers, inputs)

    assert report.architecture == name
    assert all(part.startswith(("classifier", "fc")) for part in report.wrong_shape)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in backbone._folded.modules())


def test_layers_are_the_deepest_of_strides_4_8_and_16() -> None:
    assert chosen_layers("mobilenet_v2") == ("features.3", "features.6", "features.13")
    assert chosen_layers("resnet50") == ("layer1", "layer2", "layer3")
    assert [map_shapes("vgg16")[name][1] for name in chosen_layers("vgg16")] == [56, 28, 14]


def test_layers_are_named_by_number_or_by_name() -> None:
    assert chosen_layers("mobilenet_v2", "13, 6") == ("features.6", "features.13")
    assert chosen_layers("resnet18", "layer1.0,2") == ("layer1.0", "layer2")
    with pytest.raises(InvalidParameter, match=r"No layer '99' in mobilenet_v2. Its blocks"):
        chosen_layers("mobilenet_v2", "99")


def test_a_backbone_stays_in_evaluation_mode_and_without_gradients(tmp_path: Path) -> None:
    backbone, _ = loaded_backbone(read_weights(saved(tmp_path, "resnet18")[1]), "", "", SHAPE)
    backbone.train()

    assert not any(part.training for part in backbone.modules())
    assert not any(weight.requires_grad for weight in backbone.parameters())
    assert isinstance(backbone, SpatialFeatures)


def test_a_backbone_is_rebuilt_from_the_tensors_it_needs(tmp_path: Path) -> None:
    backbone, _ = loaded_backbone(read_weights(saved(tmp_path, "resnet18")[1]), "", "1,2", SHAPE)
    tensors = backbone.network.state_dict()
    again = rebuilt_backbone("resnet18", backbone.layers, tensors)

    images = torch.rand(1, 1, 64, 64)  # grey
    with torch.inference_mode():
        same = zip(backbone.feature_maps(images), again.feature_maps(images), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    assert not any(name.startswith(("layer3", "layer4", "fc")) for name in tensors)


def test_half_precision_is_computed_in_single(tmp_path: Path) -> None:
    network, path = saved(tmp_path, "squeezenet1_1")
    torch.save(network.half().state_dict(), path)
    backbone, _ = loaded_backbone(read_weights(path), "", "", SHAPE)

    assert {weight.dtype for weight in backbone.parameters()} == {torch.float32}


def test_a_misfit_names_the_nearest_architecture(tmp_path: Path) -> None:
    network, path = saved(tmp_path, "squeezenet1_1")
    state = network.state_dict()
    state["features.6.squeeze.weight"] = torch.zeros(1, 2, 3, 3)
    torch.save(state, path)

    with pytest.raises(InvalidInput, match="Nearest is squeezenet1_1: 49 of its 52 tensors match"):
        loaded_backbone(read_weights(path), "", "", SHAPE)


def test_a_wrongly_named_architecture_is_told(tmp_path: Path) -> None:
    file = read_weights(saved(tmp_path, "squeezenet1_1")[1])

    with pytest.raises(InvalidParameter, match="No backbone 'mobilenet2' in torchvision"):
        loaded_backbone(file, "mobilenet2", "", SHAPE)
    with pytest.raises(InvalidInput, match="Nearest is mobilenet_v2"):
        loaded_backbone(file, "mobilenet_v2", "", SHAPE)


def test_images_too_small_for_the_layers_are_told(tmp_path: Path) -> None:
    file = read_weights(saved(tmp_path, "squeezenet1_1")[1])

    with pytest.raises(InvalidInput, match="too small for the layers"):
        loaded_backbone(file, "", "", (3, 16, 16))
