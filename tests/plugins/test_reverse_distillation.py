"""A student restores a teacher's words from a narrow code, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Metrics, Note, TrivialValue
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Table
from plugins.reverse_distillation.reverse_distillation import (
    Bottleneck,
    ReverseDistillation,
    ReverseDistillationParams,
    Student,
)
from tests.plugins.textures import followed, interrupted, stripes, weight_file

SMALL = {"filters": 6, "width": 8, "code_channels": 8, "batch_size": 8, "least_steps": 12}


def method(**values: object) -> ReverseDistillation:
    return ReverseDistillation(ReverseDistillationParams.parse({**SMALL, "epochs": 1, **values}))


def test_errors_are_one_minus_the_cosine_at_each_place() -> None:
    subject = followed(method(), stripes(12, size=32, channels=1)).eval()
    levels = subject.teacher.levels(torch.from_numpy(as_images(stripes(2, size=32, channels=1))))

    with torch.no_grad():
        errors = subject.errors(levels)
        restored = subject.student(subject.bottleneck(levels))

    for error, said, told in zip(errors, levels, restored, strict=True):
        f, g = said[1, :, 2, 3].double().numpy(), told[1, :, 2, 3].double().numpy()
        cosine = f @ g / np.sqrt(f @ f) / np.sqrt(g @ g)
        assert float(error[1, 2, 3]) == pytest.approx(1 - cosine, abs=1e-5)


def test_the_loss_is_the_sum_over_levels() -> None:
    told = [e for e in method().fit(ArrayDataset(stripes(20, size=32))) if isinstance(e, Metrics)]

    for event in told:
        parts = [value for name, value in event.values.items() if name.startswith("loss_")]
        assert len(parts) == 3
        assert event.values["loss"] == pytest.approx(sum(parts), rel=1e-5)


def test_the_code_is_half_as_fine_as_the_coarsest_level_and_all_comes_through_it() -> None:
    channels, sizes = (6, 9), ((17, 13), (9, 7))
    bottleneck, student = Bottleneck(channels, sizes, 8, 5).eval(), Student(channels, sizes, 8, 5)
    levels = [torch.randn(2, c, *size) for c, size in zip(channels, sizes, strict=True)]

    code = bottleneck(levels)

    assert code.shape == (2, 5, 5, 4)
    assert [tuple(one.shape) for one in student.eval()(code)] == [(2, 6, 17, 13), (2, 9, 9, 7)]


def test_the_weights_of_a_network_can_teach(tmp_path: Path) -> None:
    subject = method(weights=str(weight_file(tmp_path)), least_steps=4)
    before = followed(subject, stripes(10, size=64))

    assert before.teacher.features.report.architecture == "squeezenet1_1"
    assert not any("teacher" in name for name in before.state_dict())
    assert before.encode(as_images(stripes(3, size=64))).shape == (3, 8)


def test_a_stop_in_the_middle_changes_no_answer() -> None:
    pixels, probes = stripes(20, size=32), as_images(stripes(3, size=32, seed=2))
    whole = followed(method(), pixels)

    other = interrupted(method(), method(), pixels, 5)

    np.testing.assert_array_equal(other.score(probes), whole.score(probes))
    np.testing.assert_array_equal(other.localize(probes), whole.localize(probes))


def test_the_untrained_network_encodes_once_anything_was_told() -> None:
    subject = method()
    first = next(subject.fit(ArrayDataset(stripes(10, size=32), "stripes")))

    assert isinstance(first, Note)
    assert "learned from these images" in first.text
    assert subject.encode(as_images(stripes(2, size=32))).shape == (2, 8)


def test_a_single_image_is_enough_to_train_on() -> None:
    subject = followed(method(least_steps=3), stripes(1, size=32))

    assert np.isfinite(subject.score(as_images(stripes(2, size=32)))).all()


def test_each_level_has_its_line_and_the_viewer_its_pictures() -> None:
    subject = method(least_steps=3)
    events = list(subject.fit(ArrayDataset(stripes(9, size=32))))

    lines = {event.curve for event in events if isinstance(event, TrivialValue)}
    curves = {name for event in events if isinstance(event, Metrics) for name in event.values}
    assert lines <= curves
    kinds = [type(view) for view in subject.views()]
    assert kinds == [Table, ImageGrid, Curve, HeatMap, HeatMap, HeatMap]
