import threading
import warnings

import pytest

from desktop_app.core.complaints import heard_complaints


def complain(text: str) -> None:
    """Warn as a module of Pillow would."""
    warnings.warn_explicit(text, UserWarning, "file.py", 1, module="PIL.Image")


def test_what_pillow_warns_about_is_heard_and_not_shown() -> None:
    with heard_complaints() as heard:
        complain("first")
        complain("second")
    assert heard == ["first", "second"]


def test_each_thread_hears_only_its_own_file() -> None:
    results: dict[str, list[str]] = {}
    together = threading.Barrier(4)

    def read(name: str) -> None:
        with heard_complaints() as heard:
            together.wait()
            complain(name)
            together.wait()
        results[name] = heard

    threads = [threading.Thread(target=read, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {name: [name] for name in "abcd"}


def test_warnings_of_other_threads_pass_through() -> None:
    begun, over = threading.Event(), threading.Event()

    def read() -> None:
        with heard_complaints():
            begun.set()
            over.wait(10)

    def warn_while_another_reads() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        begun.wait(10)
        warnings.warn("mine", UserWarning, stacklevel=1)
        over.set()
        thread.join()

    with pytest.warns(UserWarning, match="mine"):
        warn_while_another_reads()


def test_filters_are_as_before_afterwards() -> None:
    before = list(warnings.filters), warnings.showwarning
    with heard_complaints(), heard_complaints():
        complain("nested")
    assert (list(warnings.filters), warnings.showwarning) == before
