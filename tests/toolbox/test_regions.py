"""Places that count, on maps and on grids of patches."""

import numpy as np
import torch

from desktop_app.toolbox.patches import worst_patches
from desktop_app.toolbox.reconstruction import worst_spot
from desktop_app.toolbox.regions import counted_places, inside


def test_a_patch_counts_where_it_touches_the_region() -> None:
    region = np.zeros((8, 8), np.bool_)
    region[0, 0] = region[5:, 6] = True

    assert counted_places(region, (2, 2)).tolist() == [0, 3]
    assert counted_places(region, (8, 8)).tolist() == [0, 46, 54, 62]
    assert counted_places(region, (16, 16)).tolist()[:3] == [0, 1, 16]
    assert counted_places(None, (2, 3)).tolist() == [0, 1, 2, 3, 4, 5]


def test_scores_of_maps_leave_out_what_does_not_count() -> None:
    maps = torch.rand(3, 8, 8)
    region = np.zeros((8, 8), np.bool_)
    region[:3] = True

    assert torch.equal(inside(maps, region), maps[:, :3].flatten(1))
    assert torch.equal(worst_spot(maps, region), maps[:, :3].amax(dim=(1, 2)))
    assert torch.equal(worst_patches(maps, 0, region=region), maps[:, :3].amax(dim=(1, 2)))
    assert torch.equal(worst_spot(maps), maps.amax(dim=(1, 2)))
