"""Work in threads, with few pieces under way at once, so that a million need no memory."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def done_in_threads(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int
) -> Generator[Result, None, None]:
    """Yield the results of all pieces as they come; closing the iterator stops after those begun.

    Decoders release the interpreter lock: threads suffice.
    """
    waiting = iter(pieces)
    pool = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="loupe-decoding")
    try:
        under_way: set[Future[Result]] = set()
        while True:
            for piece in islice(waiting, 2 * max(workers, 1) + 1 - len(under_way)):
                under_way.add(pool.submit(work, piece))
            if not under_way:
                return
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
