"""Points of the unit cube known by their number: any stretch of them alone, the same in any chunks.

Scrambled Sobol' points, random points and Latin hypercubes are functions of (seed, number), so that a
worker makes its own part and nobody holds the whole. Nothing here sums over points or calls BLAS, whose
last bits depend on the shape of what it is given.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flywheel.errors import UsageError

Array = NDArray[np.float64]
Words = NDArray[np.uint64]

LARGEST_SEED = 2**64 - 1
_SOBOL_BITS = 30  # of every coordinate; as many as scipy's sequence has by default
_SOBOL_INPUTS = 21201  # as many direction numbers as Joe and Kuo published
_ROUNDS = 12  # with fewer, the orders of a handful of slices are not nearly equally likely

# The second word of Philox' key says what the numbers are for. Noise of runs has keys of the same kind
# but keeps the member's number in the counter's top word; here it is a number that no member has.
_RANDOM, _JITTER, _SHUFFLE = 1, 2, 3
_APART = 2**64 - 1

_EDGE = 2.0**-53
_BELOW_ONE = 1.0 - 2.0**-53
_RIM = 2.0**-21
"""A point of a Latin hypercube keeps this part of its slice away from the slice's ends, so that no
rounding moves it to the next slice, up to 10^9 slices."""


def sobol(first: int, count: int, d: int, seed: int = 0) -> Array:
    """Points ``first`` to ``first + count - 1`` of a scrambled Sobol' sequence, (count, d) in [0, 1).

    They are scipy's (Matoušek's scramble as ``scipy.stats.qmc.Sobol`` draws it from ``seed``), but
    computed from their number: point n is the exclusive or of the direction numbers at the bits of its
    Gray code. Balance properties hold for the first 2^m points.

    Raises UsageError for more points or dimensions than the sequence has.
    """
    _checked(first, count, d, seed)
    if d > _SOBOL_INPUTS:
        raise UsageError(f"a Sobol' sequence has at most {_SOBOL_INPUTS:,} dimensions, not {d:,}")
    if first + count > 2**_SOBOL_BITS:
        raise UsageError(
            f"a Sobol' sequence has {2**_SOBOL_BITS:,} points; {first + count:,} are too many"
        )
    if not count:
        return np.empty((0, d))
    bits = (first + count - 1).bit_length()
    # In steps of four bits, so that points here and there share what is read off the sequence.
    origin, directions = _directions(d, seed, min(max(bits + -bits % 4, 12), _SOBOL_BITS))
    number = np.arange(first, first + count, dtype=np.uint64)
    gray = number ^ (number >> np.uint64(1))
    point = np.repeat(origin[np.newaxis], count, axis=0)
    for bit in range(bits):
        point[(gray >> np.uint64(bit)) & np.uint64(1) == 1] ^= directions[bit]
    return point.astype(np.float64) * 2.0**-_SOBOL_BITS


@lru_cache(maxsize=16)
def _directions(d: int, seed: int, bits: int) -> tuple[Words, Words]:
    """Point 0 (d,) and what each bit of a Gray code flips (bits, d), read off scipy's sequence.

    Point 2^b differs from the one before by the direction number of bit b. Skipping 2^24 points takes
    scipy a tenth of a second, once; skipping to every chunk would take it each time.
    """
    from scipy.stats import qmc

    sequence: Any = qmc.Sobol(d, scramble=True, bits=_SOBOL_BITS, seed=seed)
    before, after = _whole(sequence.random(2))
    origin, found, made = before, [before ^ after], 2
    for bit in range(1, bits):
        last = 2**bit - 1
        if last >= made:
            if last > made:
                sequence.fast_forward(last - made)
            before = _whole(sequence.random(1))[0]
        else:
            before = after
        after = _whole(sequence.random(1))[0]
        found.append(before ^ after)
        made = last + 2
    return origin, np.array(found)


def _whole(points: Array) -> Words:
    return np.asarray(points * 2.0**_SOBOL_BITS).astype(np.uint64)


def random(first: int, count: int, d: int, seed: int = 0) -> Array:
    """Independent uniform points by number, (count, d) in [0, 1), from Philox' counter."""
    _checked(first, count, d, seed)
    return _uniform(first, count, d, seed, _RANDOM)


def latin_hypercube(first: int, count: int, total: int, d: int, seed: int = 0) -> Array:
    """Points ``first`` to ``first + count - 1`` of a Latin hypercube of ``total``, (count, d) in (0, 1).

    Each of ``total`` slices of every coordinate holds exactly one of its points, at random inside. The
    order of the slices is a keyed permutation (a Feistel network, walked again while it leaves the
    range), so that a point costs the same whether it is alone or one of a million.

    Raises UsageError for points beyond ``total``.
    """
    _checked(first, count, d, seed)
    if first + count > total:
        raise UsageError(
            f"a Latin hypercube of {total:,} points has none from {first:,} to {first + count - 1:,}"
        )
    slices = _permuted(np.arange(first, first + count, dtype=np.uint64), total, d, seed)
    inside = _RIM + (1 - 2 * _RIM) * _uniform(first, count, d, seed, _JITTER)
    return np.minimum((slices + inside) / total, _BELOW_ONE)


def _uniform(first: int, count: int, d: int, seed: int, purpose: int) -> Array:
    blocks = -(-d // 4)  # Philox gives four words a count
    start = first * blocks
    words = _words(seed, purpose, start, count * blocks * 4).reshape(count, blocks * 4)[:, :d]
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _words(seed: int, purpose: int, start: int, count: int) -> Words:
    key = np.array([seed, purpose], dtype=np.uint64)
    counter = np.array([start, 0, 0, _APART], dtype=np.uint64)
    drawn: Words = np.random.Philox(key=key, counter=counter).random_raw(count)
    return drawn


def _permuted(number: Words, total: int, d: int, seed: int) -> Words:
    """Where a permutation of ``total`` of its own for each coordinate takes ``number``: (count, d)."""
    words = _words(seed, _SHUFFLE, 0, (_ROUNDS + 1) * d).reshape(_ROUNDS + 1, d)
    keys, turns = words[:-1], words[-1]
    bits = max((total - 1).bit_length(), 1)
    place = _feistel(np.repeat(number[:, np.newaxis], d, axis=1), keys, bits)
    while True:
        row, column = np.nonzero(place >= total)
        if not len(row):
            break
        place[row, column] = _feistel(place[row, column], keys[:, column], bits)
    # Turned by a number of its own, every slice is as likely as any other for every point.
    turned: Words = (place + turns % np.uint64(total)) % np.uint64(total)
    return turned


def _feistel(x: Words, keys: Words, bits: int) -> Words:
    """A permutation of the numbers of ``bits`` bits: each half in turn is hashed into the other."""
    low_bits = np.uint64(bits - bits // 2)
    low_mask = np.uint64((1 << int(low_bits)) - 1)
    high_mask = np.uint64((1 << (bits // 2)) - 1)
    high, low = x >> low_bits, x & low_mask
    for turn, own in enumerate(keys):
        if turn % 2:
            low = low ^ (_hash(high ^ own) & low_mask)
        else:
            high = high ^ (_hash(low ^ own) & high_mask)
    return (high << low_bits) | low


def _hash(x: Words) -> Words:
    """Every bit of x in every bit of the result (Stafford's constants for a 64-bit finaliser)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def coupling(ranks: Array) -> Array:
    """How independent normals are mixed to have Spearman's correlations ``ranks`` (k, k): (k, k) lower.

    The copula is Gaussian: normals correlated by 2 sin(π ρ / 6) have the rank correlation ρ.

    Raises UsageError where no numbers have these correlations all at once.
    """
    k = len(ranks)
    lower = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1):
            linear = 1.0 if i == j else 2 * math.sin(math.pi * float(ranks[i, j]) / 6)
            left = linear - math.fsum(float(lower[i, n] * lower[j, n]) for n in range(j))
            if i != j:
                lower[i, j] = left / lower[j, j]
            elif left > 1e-10:
                lower[i, i] = math.sqrt(left)
            else:
                raise UsageError(
                    "these correlations contradict each other: what goes with one input cannot go "
                    "against another that goes with it; make them weaker"
                )
    return lower


def correlated(unit: Array, lower: Array) -> Array:
    """Points (count, k) of the cube with uniform coordinates that correlate by ``coupling``'s mix.

    The first coordinate stays as it is; the others keep their distribution, but not their slices of a
    Latin hypercube.
    """
    from scipy.special import ndtr, ndtri

    normal = [ndtri(np.clip(unit[:, j], _EDGE, _BELOW_ONE)) for j in range(len(lower))]
    mixed = np.array(unit)
    for i in range(1, len(lower)):
        if not lower[i, :i].any():
            continue
        total = lower[i, i] * normal[i]
        for j in np.flatnonzero(lower[i, :i]):
            total = total + lower[i, j] * normal[j]
        mixed[:, i] = np.clip(ndtr(total), 0.0, _BELOW_ONE)
    return mixed


def _checked(first: int, count: int, d: int, seed: int) -> None:
    if d < 1:
        raise UsageError("a design needs at least one input")
    if first < 0 or count < 0:
        raise UsageError(f"points are counted from 0: there are no {count} from {first}")
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"a seed is a whole number from 0 to 2^64 - 1, not {seed}")
