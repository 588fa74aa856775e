"""A student errs at single places, an autoencoder on what does not go together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.errors import InvalidParameter
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Table
from plugins.student_teacher.student_teacher import (
    FeatureAutoencoder,
    StudentTeacher,
    StudentTeacherParams,
    hardest,
)
from tests.plugins.textures import followed, interrupted, stripes, weight_file

SMALL = {"filters": 6, "width": 8, "code_size": 4, "batch_size": 8, "least_steps": 12}
_ANSWERS = ("mixed", "scores")


def method(**values: object) -> StudentTeacher:
    return StudentTeacher(StudentTeacherParams.parse({**SMALL, "epochs": 1, **values}))


def test_errors_are_half_the_squared_distance_of_directions() -> None:
    subject = followed(method(), stripes(12, size=32, channels=1)).eval()
    levels = subject.teacher.levels(torch.from_numpy(as_images(stripes(2, size=32, channels=1))))

    with torch.no_grad():
        *apart, rebuilt = subject.errors(levels)
        said = subject.student(levels[0])

    for error, taught, answer in zip(apart, levels[1:], said, strict=True):
        t, s = taught[1, :, 2, 3].double(), answer[1, :, 2, 3].double()
        expected = 0.5 * (t / t.norm() - s / s.norm()).square().sum()
        assert float(error[1, 2, 3]) == pytest.approx(float(expected), abs=1e-5)
    assert rebuilt.shape == (2, 4, 4)


def test_the_student_is_not_told_what_it_foretells() -> None:
    subject = followed(method(), stripes(12, size=64, channels=1)).eval()  # 32 and 16 become 16
    levels = subject.teacher.levels(torch.rand(2, 1, 64, 64))
    first = subject.teacher.first
    others = [levels[0].clone(), levels[1] + 1]
    others[0][:, first:] += 1

    with torch.no_grad():
        same = subject.errors([levels[0], levels[1]])
        moved = subject.errors(others)

    assert levels[0].shape[1] == 2 * first
    assert len(same) == 3
    assert all(not torch.equal(one, other) for one, other in zip(same, moved, strict=True))
    with torch.no_grad():
        for one, other in zip(
            subject.student(levels[0][:, :first]),
            subject.student(others[0][:, :first]),
            strict=True,
        ):
            assert torch.equal(one, other)


def test_the_hardest_share_is_what_counts() -> None:
    errors = torch.arange(10.0).view(1, 2, 5)

    assert float(hardest(errors, 0.3)) == pytest.approx((7 + 8 + 9) / 3)
    assert float(hardest(errors, 1.0)) == pytest.approx(4.5)
    assert float(hardest(errors, 0.001)) == 9


def test_the_autoencoder_knows_an_image_by_its_code_alone() -> None:
    subject = FeatureAutoencoder(5, (7, 6), 8, 3).eval()
    maps = torch.randn(2, 5, 7, 6)

    rebuilt = subject(maps)

    assert subject.code(maps).shape == (2, 3)
    assert rebuilt.shape == maps.shape
    jacobian = torch.func.jacrev(subject)(maps[:1]).reshape(5 * 7 * 6, 5 * 7 * 6)
    assert int(torch.linalg.matrix_rank(jacobian.double(), rtol=1e-4)) <= 3


def test_maps_mix_what_scores_take_the_largest_of() -> None:
    unusual = torch.zeros(2, 3, 10, 10)
    unusual[0, 1, 4, 5], unusual[1, 2, 0, 0] = 6.0, 3.0  # of the student; of the autoencoder

    maps, scores = (getattr(method(global_weight=0.2), name)(unusual) for name in _ANSWERS)
    alone, students = (getattr(method(global_weight=0.0), name)(unusual) for name in _ANSWERS)

    assert float(maps[0, 4, 5]) == pytest.approx(0.8 * 6 / 2)
    assert float(maps[1, 0, 0]) == pytest.approx(0.2 * 3)
    assert scores.tolist() == [6.0, 3.0]
    assert float(alone[0, 4, 5]) == 3.0
    assert float(alone[1].abs().max()) == 0
    assert students.tolist() == [6.0, 0.0]


def test_one_map_is_not_enough_to_foretell_others(tmp_path: Path) -> None:
    subject = method(weights=str(weight_file(tmp_path)), layers="3")

    with pytest.raises(InvalidParameter, match="two layers at least"):
        followed(subject, stripes(4, size=64))


def test_a_stop_in_the_middle_changes_no_answer(tmp_path: Path) -> None:
    weights = str(weight_file(tmp_path))
    pixels, probes = stripes(20, size=64), as_images(stripes(3, size=64, seed=2))
    whole = followed(method(weights=weights), pixels)

    other = interrupted(method(weights=weights), method(), pixels, 5)

    np.testing.assert_array_equal(other.score(probes), whole.score(probes))
    np.testing.assert_array_equal(other.localize(probes), whole.localize(probes))


def test_each_error_has_its_line_and_the_viewer_its_pictures() -> None:
    subject = method(least_steps=3)
    events = list(subject.fit(ArrayDataset(stripes(9, size=32))))

    lines = {event.curve for event in events if isinstance(event, TrivialValue)}
    curves = {name for event in events if isinstance(event, Metrics) for name in event.values}
    assert lines == curves - {"loss", "held_out"}
    kinds = [type(view) for view in subject.views()]
    assert kinds == [Table, ImageGrid, Curve, HeatMap, HeatMap, HeatMap]
