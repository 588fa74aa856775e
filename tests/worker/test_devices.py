import pytest
import torch

from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.devices import chosen_device, device_name, is_out_of_memory, memory


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("auto") == "cpu"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert chosen_device("auto") == "cuda"


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ("cuda", "torch sees no GPU: use cpu"),
        ("cuda:1", "torch sees no GPU: use cpu"),
        ("mps", "this machine has none: use cpu"),
        ("warp", "Device 'warp' cannot be used"),
    ],
)
def test_a_device_that_is_not_there_is_a_sentence(
    wish: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    with pytest.raises(InvalidInput, match=sentence):
        chosen_device(wish)


def test_memory_of_the_processor_is_that_of_this_process() -> None:
    told = memory("cpu")

    assert 0 < told["used"] < told["total"]
    assert device_name("cpu") == "CPU"


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_want_of_memory_is_recognised(problem: Exception, expected: bool) -> None:
    assert is_out_of_memory(problem) is expected
