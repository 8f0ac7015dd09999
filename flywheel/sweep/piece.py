"""A finished shard on its way from whoever computed it to where it is kept: bytes and a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Piece:
    """``files``: bytes by kind of table; ``digest``: SHA-256 of the numbers, whatever the file format;
    ``members``: how many runs it holds, ``failed``: how many of them have no result."""

    files: Mapping[str, bytes]
    digest: str
    members: int
    failed: int


class Job(Protocol):
    """The work of one sweep: a call computes one shard.

    Another process makes its own from ``maker`` (``module:function``) called with ``settings``, which
    are plain data as JSON has it.
    """

    @property
    def maker(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def __call__(self, task: int) -> Piece: ...


def digest(arrays: Arrays) -> str:
    """SHA-256 of arrays by name: names, types, shapes and little-endian bytes, in order of name.

    Every NaN counts as the same one: which bits a processor puts into it says nothing.
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        if array.dtype.kind == "U":
            raw = "\0".join(str(x) for x in array.ravel()).encode("utf-8")
            kind = "text"
        else:
            if array.dtype.kind == "f":
                array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            raw, kind = array.tobytes(), array.dtype.str
        total.update(f"{name} {kind} {array.shape} {len(raw)}\n".encode())
        total.update(raw)
    return total.hexdigest()
