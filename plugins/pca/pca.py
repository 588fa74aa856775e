"""Principal component analysis, exact or randomised, reading the images batch by batch.

Pearson, On lines and planes of closest fit to systems of points in space, 1901; for large images
Halko, Martinsson & Tropp, Finding structure with randomness, 2011, https://arxiv.org/abs/0909.4061
(algorithms 4.4 and 5.3: subspace iteration, then Rayleigh-Ritz).

    min ||X - X V V'||_F^2  with  V' V = I,   X centred                           (rows are images)
    pass:  P = X Q,   T = P'P / (n - 1),   Y = X'P,   Q <- orthonormal basis of Y
    end:   T = W diag(variances) W',   V = Q W

Up to 1,100 values per image, Q is the identity: T is the covariance, and one pass is exact.

Memory: one batch of float32 images, and per image value two or three columns of the basis: about
20 MB at 64 px, 250 MB at 224 px in colour with 64 components. The number of images does not matter.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D components, L basis columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from desktop_app.sdk.data import Array, Dataset, Images, batches
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.inference import require_shape
