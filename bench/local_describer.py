"""The share of the sample photos whose subject the built-in describer names, and its milliseconds a photo.

    python bench/local_describer.py [folder of photos]

Only the word that is named as the subject counts. ACCEPTED is strict: a word that is
true but says little ("food" for a fig, "landscape" for a sunset) is not in it.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from metadata.describe import Brief, Describer, Description, make_describer  # noqa: E402 - found by the line above
from metadata.describe.picture import prepare  # noqa: E402

PHOTOS = ROOT / "smugmug" / "sandbox" / "photos"
PIXELS = 1024  # AI_IMAGE_PIXELS
UNIDENTIFIED = "Unidentified subject"
ACCEPTED = {
    "aizkorri.jpg": {"mountain", "valley"},
    "alpine-landscape.jpg": {"mountain", "landscape"},
    "astronaut.jpg": {"astronaut", "person"},
    "black-canyon.jpg": {"canyon", "valley", "landscape", "lakeshore"},
    "boats-at-nagasaki.jpg": {"boat", "ship"},
    "books.jpg": {"book"},
    "bridge-cables.jpg": {"bridge", "suspension bridge"},
    "brushes.jpg": {"paintbrush"},
    "budgerigar-in-flight.jpg": {"bird", "parrot"},
    "car.jpg": {"car", "sports car"},
    "cat.jpg": {"cat", "tabby cat"},
    "chameleon.jpg": {"chameleon", "lizard"},
    "chelsea-the-cat.jpg": {"cat", "tabby cat"},
    "citrus-fruits.jpg": {"citrus fruit", "fruit"},
    "cocktail.jpg": {"cocktail", "drink"},
    "dahlia.jpg": {"flower"},
    "dandelions.jpg": {"flower", "dandelion"},
    "dog.jpg": {"dog", "Golden Retriever"},
    "drum-and-wine.jpg": {"drum", "wine bottle"},
    "dust-bowl-home.jpg": {"house", "building", "barn"},
    "eileen-collins.jpg": {"astronaut", "person"},
    "espresso.jpg": {"coffee", "cup of coffee"},
    "fish.jpg": {"fish", "goldfish"},
    "football.jpg": {"ball", "soccer ball"},
    "forest-stream.jpg": {"forest", "stream"},
    "gamepad.jpg": {"game controller"},
    "half-a-fig.jpg": {"fig", "fruit"},
    "honey-bee.jpg": {"bee"},
    "hot-air-balloon.jpg": {"hot-air balloon"},
    "light-bulb.jpg": {"light bulb", "lamp"},
    "owl.jpg": {"owl", "great grey owl", "bird"},
    "paint-brushes.jpg": {"paintbrush"},
    "pancakes.jpg": {"pancake", "food"},
    "parrot.jpg": {"parrot", "lorikeet"},
    "pavilion.jpg": {"pavilion", "building", "palace"},
    "pencils.jpg": {"pencil", "stationery"},
    "picos-de-europa.jpg": {"mountain"},
    "rocket-on-the-pad.jpg": {"rocket"},
    "roebling-suspension-bridge.jpg": {"bridge", "suspension bridge"},
    "space-shuttle.jpg": {"space shuttle"},
    "sunflower.jpg": {"flower", "sunflower"},
    "sunset.jpg": {"sunset"},
    "sushi.jpg": {"sushi", "food"},
    "two-dogs-on-a-balcony.jpg": {"dog"},
}


def main(folder: Path) -> None:
    describer = make_describer("local")
    describer.warm_up()
    verdicts: list[str] = []
    started = time.perf_counter()
    for name, accepted in ACCEPTED.items():
        description = described(describer, folder / name)
        verdicts.append(judged(description, accepted))
        print(f"{name:31} {verdicts[-1]:9} {description.confidence:.2f}  {description.description}")  # noqa: T201
    milliseconds = (time.perf_counter() - started) * 1000 / len(verdicts)
    right, abstained = verdicts.count("right"), verdicts.count("abstained")
    print(f"right {right}/{len(verdicts)} = {right / len(verdicts):.2f}, abstained {abstained}")  # noqa: T201
    print(f"{milliseconds:.0f} ms a photo, decoding included")  # noqa: T201


def described(describer: Describer, path: Path) -> Description:
    """The words for a photo, prepared as the run prepares it."""
    return describer.describe(prepare(path.read_bytes(), pixels=PIXELS).jpeg, Brief.default()).description


def judged(description: Description, accepted: set[str]) -> str:
    if description.title.startswith(UNIDENTIFIED):
        return "abstained"
    return "right" if description.tags[0] in accepted else "wrong"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PHOTOS)
