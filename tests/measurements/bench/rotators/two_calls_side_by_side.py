"""The same two calls in two threads."""

from concurrent.futures import ThreadPoolExecutor

from bench.rotators.two_calls import lock, read

pool = ThreadPoolExecutor(1)


def rotate() -> None:
    locked = pool.submit(lock)
    read()
    locked.result()
