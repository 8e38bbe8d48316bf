"""Bytes to which something happened, and what may come of them: a result or one clear line, soon, in little memory."""

import os
import random
import resource
import time

EXAMPLES = int(os.environ.get("MUTATIONS", 60))
MOST_SECONDS, MOST_MEMORY = 2, 500 * 2**20


def mutated(content: bytes, seed: int) -> bytes:
    """With bytes changed, put in, taken out, moved or cut off, once to four times, the same for one seed."""
    rng, file = random.Random(seed), bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        # Heads decide more than pixels do.
        at = rng.randrange(min(len(file), 400)) if rng.random() < 0.5 and file else rng.randint(0, len(file))
        kind = rng.choice(["flip", "flip", "number", "insert", "remove", "cut", "copy"])
        if kind == "flip" and at < len(file):
            file[at] ^= rng.randint(1, 255)
        elif kind == "number":
            number = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**16, rng.getrandbits(32)])
            size = rng.choice([1, 2, 4])
            file[at : at + size] = (number % 256**size).to_bytes(size, rng.choice(["big", "little"]))
        elif kind == "insert":
            file[at:at] = rng.randbytes(rng.randint(1, 60))
        elif kind == "remove":
            del file[at : at + rng.randint(1, 20)]
        elif kind == "cut":
            del file[at:]
        elif kind == "copy":
            start = rng.randint(0, len(file))
            file[at:at] = file[start : start + rng.randint(1, 60)]
    return bytes(file)


class Watch:
    """Counts what became of files, and how long and how much memory the worst of them took."""

    def __init__(self):
        self.done = self.refused = 0
        self.slowest = 0.0
        self.before = memory()

    def took(self, seconds, refused):
        self.done += 1
        self.refused += refused
        self.slowest = max(self.slowest, seconds)

    def check(self, what):
        more = memory() - self.before
        print(
            f"\n{what}: {self.done:,} files, {self.done - self.refused:,} with a result, {self.refused:,} refused; "
            f"the slowest took {self.slowest:.2f} s, memory rose by {more / 2**20:.0f} MiB"
        )
        assert self.slowest < MOST_SECONDS and more < MOST_MEMORY


def memory():
    """The most that this process has had so far, in bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def clear(action, watch):
    """What an action returns, or None where it refuses with one line; any other exception is a failure."""
    start, result = time.process_time(), None  # not the clock on the wall, as others may be at work
    try:
        result = action()
    except ValueError as error:
        assert type(error).__name__ == "StudyError" and str(error) and "\n" not in str(error), repr(error)
    watch.took(time.process_time() - start, result is None)
    return result
