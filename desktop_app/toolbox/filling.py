"""What lies in hidden regions: a first guess made without learning, and pictures of guesses.

Shapes: N images, C channels, H rows, W columns; masks are (N, 1, H, W), true where hidden.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array


def smoothly_filled(images: Tensor, mask: Tensor) -> Tensor:
    """Return images whose hidden pixels are smooth continuations of what surrounds them.

    Known pixels are averaged over ever larger squares, and what is unknown takes the value of the
    smallest square that knows something (pull-push; Gortler et al., The lumigraph, 1996).
    """
    if min(images.shape[-2:]) == 1:
        known = (~mask).to(images.dtype)
        total = (images * known).mean(dim=(2, 3), keepdim=True)
        share = known.mean(dim=(2, 3), keepdim=True)
        mean = torch.where(share > 0, total / share.clamp(min=1e-6), torch.zeros_like(total))
        return torch.where(mask, mean.expand_as(images), images)
    known = (~mask).to(images.dtype)
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    total = F.avg_pool2d(images * known, 2, ceil_mode=True)
    coarse = smoothly_filled(total / share.clamp(min=1e-6), share == 0)
    size = tuple(images.shape[-2:])
    up = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return torch.where(mask, up, images)


def sheet(images: Tensor, drawn: Tensor, mask: Tensor, grey: Tensor) -> Array:
    """Return for each image what is seen of it, what is drawn, and the whole (3 N, C, H, W)."""
    rows = [torch.where(mask, part, images) for part in (grey.expand_as(images), drawn.clamp(0, 1))]
    pictures: Array = torch.stack([*rows, images], dim=1).flatten(0, 1).cpu().numpy()
    return pictures
