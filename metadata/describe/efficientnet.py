"""EfficientNet-Lite0 in numpy: a picture of 224 × 224 pixels → how probable each of 1,000 classes is.

The network is that of https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: a
stem, 16 blocks (expand, depthwise, project), a head and a classifier. Batch normalisation is folded into the
convolutions. 20 to 45 ms a picture on one thread; a second BLAS thread makes it slower, so workers set
OPENBLAS_NUM_THREADS=1.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metadata.describe.weights import Arrays

Array = NDArray[np.float32]

SIDE = 224  # pixels
_STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EPSILON = np.float32(1e-3)  # of batch normalisation, as trained


@dataclass(frozen=True, slots=True)
class _Convolution:
    kernel: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class _Block:
    expand: _Convolution | None
    depthwise: _Convolution
    project: _Convolution
    stride: int
    residual: bool

    def __call__(self, x: Array) -> Array:
        y = _relu6(_pointwise(x, self.expand)) if self.expand else x
        y = _pointwise(_depthwise(y, self.depthwise, self.stride), self.project)
        return x + y if self.residual else y


class EfficientNetLite0:
    """Holds the weights and nothing else, so that threads may share it."""

    def __init__(self, weights: Arrays) -> None:
        self._stem = _folded(weights, "_conv_stem", "_bn0")
        self._blocks = _blocks(weights)
        self._head = _pointwise_folded(weights, "_conv_head", "_bn1")
        self._classifier = _Convolution(np.ascontiguousarray(weights["_fc.weight"].T), weights["_fc.bias"])

    def __call__(self, pixels: NDArray[np.uint8]) -> Array:
        """Probabilities of the classes for RGB `pixels` (SIDE, SIDE, 3)."""
        x = _stem((pixels.astype(np.float32) - np.float32(127)) / np.float32(128), self._stem)
        for block in self._blocks:
            x = block(x)
        features = _relu6(_pointwise(x, self._head)).mean((0, 1))
        scores = features @ self._classifier.kernel + self._classifier.bias
        odds = np.exp(scores - scores.max())
        probabilities: Array = odds / odds.sum()
        return probabilities


def _blocks(weights: Arrays) -> list[_Block]:
    """A stage begins where the number of channels changes; only its first block has the stage's stride."""
    count = 1 + max(int(match[1]) for name in weights if (match := re.match(r"_blocks\.(\d+)\.", name)))
    blocks: list[_Block] = []
    strides = iter(_STAGE_STRIDES)
    channels = -1
    for prefix in (f"_blocks.{number}." for number in range(count)):
        expand = f"{prefix}_expand_conv.weight" in weights
        project = _pointwise_folded(weights, prefix + "_project_conv", prefix + "_bn2")
        residual = project.bias.size == channels
        blocks.append(
            _Block(
                expand=_pointwise_folded(weights, f"{prefix}_expand_conv", f"{prefix}_bn0") if expand else None,
                depthwise=_folded(weights, prefix + "_depthwise_conv", prefix + "_bn1"),
                project=project,
                stride=1 if residual else next(strides),
                residual=residual,
            )
        )
        channels = project.bias.size
    return blocks


def _folded(weights: Arrays, convolution: str, norm: str) -> _Convolution:
    """A convolution with its normalisation, its kernel as (height, width, in, out)."""
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
    kernel = weights[f"{convolution}.weight"] * scale[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return _Convolution(
        kernel=np.ascontiguousarray(kernel.transpose(2, 3, 1, 0), np.float32),
        bias=np.ascontiguousarray(bias, np.float32),
    )


def _pointwise_folded(weights: Arrays, convolution: str, norm: str) -> _Convolution:
    folded = _folded(weights, convolution, norm)
    return _Convolution(folded.kernel[0, 0], folded.bias)


def _stem(x: Array, convolution: _Convolution) -> Array:
    """A full 3 × 3 convolution with stride 2: the nine shifted pictures side by side, then one product."""
    size = convolution.kernel.shape[0]
    shifted = np.concatenate(_shifted(x, size, 2), axis=2)
    return _relu6(shifted @ convolution.kernel.reshape(-1, convolution.bias.size) + convolution.bias)


def _pointwise(x: Array, convolution: _Convolution) -> Array:
    height, width, channels = x.shape
    y: Array = x.reshape(height * width, channels) @ convolution.kernel
    y += convolution.bias
    return y.reshape(height, width, -1)


def _depthwise(x: Array, convolution: _Convolution, stride: int) -> Array:
    """Each channel with a kernel of its own, one tap after the other over the whole picture."""
    taps = convolution.kernel.reshape(-1, convolution.bias.size)
    shifted = _shifted(x, convolution.kernel.shape[0], stride)
    y = np.multiply(shifted[0], taps[0])
    y += convolution.bias
    product = np.empty_like(y)
    for picture, tap in zip(shifted[1:], taps[1:], strict=True):
        y += np.multiply(picture, tap, out=product)
    return _relu6(y)


def _shifted(x: Array, size: int, stride: int) -> list[Array]:
    """What each tap of a square kernel sees, padded as TensorFlow pads: an odd row or column at the end."""
    height, width = (-(-length // stride) for length in x.shape[:2])
    rows, columns = (
        max((out - 1) * stride + size - length, 0) for out, length in zip((height, width), x.shape[:2], strict=True)
    )
    padded = np.pad(x, ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)))
    return [
        padded[row : row + height * stride : stride, column : column + width * stride : stride][:height, :width]
        for row in range(size)
        for column in range(size)
    ]


def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6, out=x)
