"""An old PyTorch weights file → numpy arrays, without PyTorch and without running what a pickle asks for.

The format (PyTorch before 1.6, `torch/serialization.py`): three pickles with versions, a pickle of the
tensors by name, a pickle of the storage keys, then each storage as its length (8 bytes, little-endian) and
its numbers.
"""

import pickle
import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class UnreadableWeights(Exception):
    """The file is not what it should be; nothing in it was executed."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor lies: its storage, and offset, size and stride in numbers (not in bytes)."""

    storage: tuple[np.dtype[Any], str]
    offset: int
    size: Sequence[int]
    stride: Sequence[int]

    def cut_from(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The tensor as an array of its own; strides may be permuted, and must stay within the storage."""
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.size, self.stride, strict=True))
        if self.offset < 0 or last >= numbers.size or min((*self.stride, 0)) < 0 or min((*self.size, 1)) < 1:
            raise UnreadableWeights("a tensor reaches out of its storage")
        strides = [stride * numbers.itemsize for stride in self.stride]
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, strides, writeable=False)
        return np.ascontiguousarray(view).reshape(self.size)  # ascontiguousarray makes a scalar one-dimensional


class _Unpickler(pickle.Unpickler):
    """Knows the three kinds of names that a weights file needs, and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise UnreadableWeights(f"the weights ask for {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[np.dtype[Any], str]:
        _, kind, key, *_ = pid
        return kind, key


def load(path: Path) -> Arrays:
    """The arrays of a weights file by name; UnreadableWeights when it is another kind of file."""
    with path.open("rb") as file:
        try:
            for _ in ("magic number", "protocol", "sizes"):
                _Unpickler(file).load()
            tensors = _Unpickler(file).load()
            storages = _storages(file, {tensor.storage[1]: tensor.storage[0] for tensor in tensors.values()})
            return {name: tensor.cut_from(storages[tensor.storage[1]]) for name, tensor in tensors.items()}
        except (
            pickle.UnpicklingError,
            EOFError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            struct.error,
        ) as exc:
            raise UnreadableWeights(f"the weights cannot be read: {type(exc).__name__}") from exc


def _storages(file: BinaryIO, types: dict[str, np.dtype[Any]]) -> Arrays:
    """The numbers of each storage, in the order in which the file names them."""
    storages: Arrays = {}
    for key in _Unpickler(file).load():
        (length,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(length * types[key].itemsize), types[key])
    return storages


def _rebuild(
    storage: tuple[np.dtype[Any], str], offset: int, size: Sequence[int], stride: Sequence[int], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, size, stride)
