"""Reconstruction by inpainting (RIAD).

Zavrtanik, Kristan & Skocaj, Reconstruction by inpainting for visual anomaly detection, 2021,
https://doi.org/10.1016/j.patcog.2020.107706

    S_1 ... S_n  disjoint random sets of cells of k x k pixels, which together cover the image
    x'_k = sum_i S_i f(x (1 - S_i), S_i)        each pixel is drawn where it was hidden
    loss = |x - x'|^2 + g (1 - GMS(x, x')) + s (1 - SSIM(x, x'))

    map = (1 - MSGMS(x, x'_k)) + v |x - x'_k|^2, means over k, smoothed        (theirs has v = 0)

In a step each image is seen without one of its n sets, by turns, and the loss counts per hidden
pixel. The network sees a smooth continuation into the hidden cells and draws what is to be added to
it. Squares of the loss are in units of the variance of the images around their mean, both parts of
the map in units of what is usual at each pixel.

Shapes: N images, C channels, H rows, W columns.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, even_rows
from desktop_app.sdk.events import Events, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import HeatMap, ImageGrid, View
from desktop_app.toolbox.filling import sheet, smoothly_filled
from desktop_app.toolbox.inference import completion, evaluating
from desktop_app.toolbox.networks import image_statistics
from desktop_app.toolbox.reconstruction import CalibratedScores, smoothed
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.similarity import ms_gradient_similarity, ssim_map
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend, is_time, let_rate_fall, to_device
from desktop_app.toolbox.unet import Narrowing, Widening

_LEAST_CELLS = 4
"""Cells along the shorter side below which a cell size is not used."""
_LEAST_SPREAD = 1 / 255
_FINE = 8
"""Maps at full size."""
_MEASURES, _MEASURED = 12, 8
"""Times in the training, and images, at which is learned how large deviations usually are."""
_SHEETS, _SHOWN = 20, 8
_SAMPLE = 64
"""Images on which smooth continuation is judged."""
_FLOOR = 2.0
"""Weight of what is usual in the whole image, beside what is usual at a pixel."""
_LEAST_USUAL = 1e-6
"""Keeps units finite where every image is rebuilt exactly."""


class InpaintingParams(TrainingParams):
    """What is hidden, the network, and what is asked of the rebuilt images."""

    finest: int = param(
        2, low=1, high=64, scale="log", unit="pixels", help="Side of the smallest cells."
    )
    coarsest: int = param(
        16,
        low=1,
        high=128,
        scale="log",
        unit="pixels",
        help="Side of the largest cells; between the two it doubles. What is larger than a cell "
        "can be continued from its own surroundings.",
    )
    sets: int = param(
        3, low=2, high=8, help="Sets n into which the cells are dealt; one in n pixels is hidden."
    )
    gradient: float = param(1.0, low=0.0, high=100.0, help="Weight g of similar gradients.")
    structure: float = param(1.0, low=0.0, high=100.0, help="Weight s of similar structure.")
    values: float = param(
        1.0,
        low=0.0,
        high=100.0,
        help="Weight v of squared errors in the heat map, beside the deviation of gradients.",
    )
    width: int = param(
        16, low=4, high=256, scale="log", unit="channels", help="Channels at half size."
    )
    epochs: int = param(6, low=1, high=100_000, scale="log", help="Passes over the images.")
    batch_size: int = param(
        8, low=1, high=4096, scale="log", unit="images", help="Images per optimiser step."
    )


class InpaintingAE(CalibratedScores, TorchMethod[InpaintingParams]):
    """Rebuilds every pixel from images in which it was hidden."""

    card = Card(
        id="inpainting_ae",
        title="Reconstruction by inpainting",
        family="Self-prediction",
        paper="10.1016/j.patcog.2020.107706",
        summary="Hides cells of several sizes and draws them anew: defects are not drawn again.",
        needs="Normal images.",
        image_size=128,
        translations={
            "zh_CN": {
                "title": "修补式重建",
                "family": "自预测",
                "summary": "遮住多种大小的方格并重新绘制：缺陷不会被画出来。",
                "needs": "正常图像。",
            }
        },
    )
    presets = (
        Preset("28 px", {"coarsest": 4, "batch_size": 32}, "Digits and symbols.", 28),
        Preset("64 px", {"coarsest": 8, "batch_size": 16}, "A first look in a minute.", 64),
        Preset("128 px", {}, "Photographs of parts and surfaces.", 128),
        Preset(
            "Thorough",
            {"width": 32, "least_steps": 6000, "learning_rate": 3e-4},
            "For a GPU or a night.",
            256,
        ),
    )
    toy_params: ClassVar[dict[str, object]] = {
        "width": 4,
        "finest": 4,
        "coarsest": 4,
        "batch_size": 8,
        "structure": 0,
    }
    """What the conformance kit trains with on its small images."""

    centre: Tensor
    spread: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the network and what is remembered about deviations."""
        channels, side = sample_shape[0], min(sample_shape[1:])
        self.network = Redrawing(channels, side, self.params.width)
        self.usual_gradients = RunningMean(*sample_shape[1:])
        self.usual_squares = RunningMean(*sample_shape[1:])
        self.register_buffer("centre", torch.full(sample_shape, 0.5))
        self.register_buffer("spread", torch.ones(()))
        self.sizes = cell_sizes(self.params.finest, self.params.coarsest, side)

    def learn(self, data: Dataset) -> Events:
        """Draw what is hidden: values, gradients and structure."""
        if self.clock.step == 0:
            mean, spread = image_statistics(data)
            self.centre.copy_(torch.from_numpy(mean))
            self.spread.fill_(max(spread, _LEAST_SPREAD))
            yield from self._trivial_values(data)
        shown = to_device(data.pixels(even_rows(len(data), _SHOWN)), self.device)
        n, rate = self.params.sets, self.params.learning_rate
        adam = self.keep("adam", torch.optim.Adam(self.network.parameters(), rate))
        for step in self.steps(data):
            x = step.batch  # (N, C, H, W)
            mask = self._hidden(len(x))  # (N, 1, H, W)
            rebuilt = torch.where(mask, self._drawn(x, mask), x)
            hidden = mask.float().mean()
            mse = (rebuilt - x).square().mean() / hidden
            loss, values = mse / self.spread.square(), {"mse": mse}
            if self.params.gradient:
                values["gradient"] = (1 - ms_gradient_similarity(x, rebuilt)).mean() * n
                loss = loss + self.params.gradient * values["gradient"]
            if self.params.structure:
                values["structure"] = (1 - ssim_map(x, rebuilt)).mean() * n
                loss = loss + self.params.structure * values["structure"]
            let_rate_fall(adam, rate, step.progress)
            descend(loss, adam, clip=1.0)
            if is_time(step, _MEASURES):
                self._measure(x[:_MEASURED])
            if is_time(step, _SHEETS):
                yield self._sheet(shown)
            yield step.metrics(loss=loss, **values)

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the mean (N, C, H, W) of the images drawn with each size of cells."""
        whole = [self.redrawn(images, size) for size in self.sizes]
        return torch.stack(whole).mean(dim=0).clamp(0, 1)

    def redrawn(self, images: Tensor, size: int) -> Tensor:
        """Return images (N, C, H, W) whose every cell is drawn while it is hidden."""
        whole = torch.zeros_like(images)
        for mask in self._all_sets(size).to(images.device):
            hidden = mask.expand(len(images), -1, -1, -1)
            whole += hidden * self._drawn(images, hidden)
        return whole

    @completion
    def complete(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return images (N, C, H, W) with what the network draws under the mask."""
        return self._drawn(self._checked(images), mask)

    def views(self) -> Sequence[View]:
        """Return where images are hard to redraw, and what is hidden at once."""
        if self.sample_shape is None:
            return ()
        masks = [self._all_sets(size) for size in self.sizes]
        captions = [f"{size} px" for size in self.sizes for _ in range(self.params.sets)]
        return (
            HeatMap(
                "Usual deviation of gradients at each pixel",
                self.usual_gradients.value.cpu().numpy().copy(),
            ),
            HeatMap("Usual error at each pixel", self.usual_squares.value.cpu().numpy().copy()),
            ImageGrid(
                "What is hidden at once, by size of cells",
                torch.cat(masks).float().numpy(),
                columns=self.params.sets,
                captions=captions,
            ),
        )

    def _map(self, images: Tensor) -> Tensor:
        """Return deviations (N, H, W) in units of the usual ones, smoothed."""
        gradients, squares = self._deviations(self._checked(images))
        weighted = self.params.values * in_units(squares, self.usual_squares.value)
        return in_units(gradients, self.usual_gradients.value) + weighted

    def _deviations(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - MSGMS and squared errors, both (N, H, W), means over the sizes of cells."""
        redrawn = [self.redrawn(images, size) for size in self.sizes]
        similarity = [ms_gradient_similarity(images, others) for others in redrawn]
        squares = [(images - others).square().mean(dim=1) for others in redrawn]
        return 1 - torch.stack(similarity).mean(dim=0), torch.stack(squares).mean(dim=0)

    def _drawn(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return whole images (N, C, H, W), drawn from what is not hidden."""
        base = smoothly_filled((images - self.centre) / self.spread, mask)
        drawn: Tensor = self.network(base, mask) * self.spread + self.centre
        return drawn

    def _hidden(self, count: int) -> Tensor:
        """Return a set of cells for each image, (N, 1, H, W), of one random size."""
        size = self.sizes[int(torch.randint(len(self.sizes), ()))]
        height, width = self.centre.shape[1:]
        masks = dealt_cells(size, self.params.sets, height, width, count)
        return masks[:, :1].to(self.device)

    def _all_sets(self, size: int) -> Tensor:
        """Return the sets (n, 1, H, W) that are hidden one after the other."""
        height, width = self.centre.shape[1:]
        return dealt_cells(size, self.params.sets, height, width, seed=0)[0].unsqueeze(1)

    @torch.no_grad()
    def _measure(self, images: Tensor) -> None:
        with evaluating(self):
            gradients, squares = self._deviations(images)
        self.usual_gradients.observe(gradients.mean(dim=0))
        self.usual_squares.observe(squares.mean(dim=0))

    @torch.no_grad()
    def _sheet(self, images: Tensor) -> Preview:
        mask = self._hidden(len(images))
        with evaluating(self):
            drawn = self._drawn(images, mask)
        caption = "Images without some of their cells, redrawn, and whole."
        pictures = sheet(images, drawn, mask, self.centre.mean())
        return Preview("Redrawn", pictures, columns=3, caption=caption)

    def _trivial_values(self, data: Dataset) -> Iterator[TrivialValue]:
        """Tell what the mean image and the smooth continuation into the cells reach."""
        x = to_device(data.pixels(even_rows(len(data), _SAMPLE)), self.device)
        mask = self._hidden(len(x))
        smooth = smoothly_filled((x - self.centre) / self.spread, mask)
        error = torch.where(mask, smooth * self.spread + self.centre - x, torch.zeros_like(x))
        smooth_error = float(error.square().mean() / mask.float().mean())
        yield TrivialValue("mse", smooth_error, "smooth continuation")
        yield TrivialValue("mse", float(self.spread) ** 2, "mean image", stays=None)


class Redrawing(nn.Module):
    """A U-Net whose last maps are interleaved to full size, where single pixels are drawn.

    Shi et al., Real-time single image super-resolution using an efficient sub-pixel convolutional
    neural network, 2016, https://arxiv.org/abs/1609.05158.
    """

    def __init__(self, channels: int, side: int, width: int) -> None:
        super().__init__()
        self.narrowing = Narrowing(channels + 1, side, width=width)
        self.widening = Widening(self.narrowing.widths, 4 * _FINE)
        self.last = nn.Conv2d(_FINE + channels + 1, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.get_parameter("bias"))

    def forward(self, base: Tensor, mask: Tensor) -> Tensor:
        """Return images (N, C, H, W): first guesses `base`, and what is added to them."""
        height, width = base.shape[2:]
        seen = torch.cat([base, mask.to(base.dtype)], dim=1)
        maps = F.pixel_shuffle(self.widening(self.narrowing(seen)), 2)[..., :height, :width]
        added: Tensor = self.last(torch.cat([F.leaky_relu(maps, 0.1), seen], dim=1))
        return base + added


def cell_sizes(finest: int, coarsest: int, side: int) -> tuple[int, ...]:
    """Return the sides of cells, each twice the one before, that suit images of `side` pixels."""
    sizes = []
    size = finest
    while size <= max(finest, coarsest) and side >= _LEAST_CELLS * size:
        sizes.append(size)
        size *= 2
    return tuple(sizes) or (max(1, side // _LEAST_CELLS),)


def dealt_cells(
    size: int, sets: int, rows: int, columns: int, count: int = 1, seed: int | None = None
) -> Tensor:
    """Return masks (count, sets, H, W) whose sets together hide each cell of `size` pixels once.

    Cells are dealt at random, as many to each set as to the others, give or take one. With a seed
    they are always dealt alike.
    """
    height, width = -(-rows // size), -(-columns // size)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    order = torch.rand(count, height * width, generator=generator).argsort(dim=1)
    cells = (order % sets).view(count, 1, height, width)
    pixels = cells.repeat_interleave(size, dim=2).repeat_interleave(size, dim=3)
    return pixels[..., :rows, :columns] == torch.arange(sets).view(-1, 1, 1)


def in_units(maps: Tensor, usual: Tensor) -> Tensor:
    """Return smoothed maps (N, H, W) in units of what is usual (H, W) at each pixel."""
    usual = smoothed(usual.unsqueeze(0))
    return smoothed(maps) / ((usual + _FLOOR * usual.mean()) / (1 + _FLOOR) + _LEAST_USUAL)


@hookimpl
def register_methods() -> list[type[InpaintingAE]]:
    """Offer reconstruction by inpainting."""
    return [InpaintingAE]
