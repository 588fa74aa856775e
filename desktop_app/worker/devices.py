"""Where a method computes, and with how many threads."""

import os

import psutil
import torch

from desktop_app.sdk.errors import InvalidInput


def chosen_device(wish: str) -> str:
    """Return the torch device for a wish: auto, cpu, cuda, cuda:1, mps.

    Raises InvalidInput when the machine does not have it.
    """
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish.startswith("cuda") and not torch.cuda.is_available():
        raise InvalidInput(f"Device '{wish}' was asked for, but torch sees no GPU: use cpu.")
    if wish == "mps" and not torch.backends.mps.is_available():
        raise InvalidInput("Device 'mps' was asked for, but this machine has none: use cpu.")
    try:
        torch.empty(0, device=wish)
    except (RuntimeError, AssertionError) as problem:
        raise InvalidInput(f"Device '{wish}' cannot be used: {problem}.") from None
    return wish


def use_threads(count: int) -> None:
    """Let torch compute with this many threads; 0 means all cores."""
    torch.set_num_threads(count or os.cpu_count() or 1)


def memory(device: str) -> dict[str, int]:
    """Return bytes `used` by this job and the `total` of its device."""
    if device.startswith("cuda"):
        total = torch.cuda.get_device_properties(device).total_memory
        return {"used": torch.cuda.max_memory_reserved(device), "total": total}
    return {"used": psutil.Process().memory_info().rss, "total": psutil.virtual_memory().total}


def device_name(device: str) -> str:
    """Return what the device is called."""
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return "CPU" if device == "cpu" else device


def is_out_of_memory(problem: BaseException) -> bool:
    """Tell whether a problem means that memory did not suffice, on any device."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(problem).lower()
    return isinstance(problem, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )
