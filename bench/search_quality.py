"""How good the first photo is that a plain question finds among the sample photos, described by the built-in model.

    python bench/search_quality.py

The photos are described and embedded from their pixels alone; titles, captions, keywords and telling file names, which
a real library may have, are left away. The questions were written down before anybody had looked at what they find.
Prints the precision at 1: the share of questions whose first photo shows what was asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testbed import ROOT, services

PHOTOS = ROOT / "smugmug" / "sandbox" / "photos"
# What is asked, and the photos that would be a right answer.
QUESTIONS = {
    "cat": "cat chelsea-the-cat",
    "a dog": "dog two-dogs-on-a-balcony",
    "parrot": "parrot budgerigar-in-flight",
    "flower": "dahlia dandelions sunflower",
    "mountains": "aizkorri alpine-landscape picos-de-europa black-canyon",
    "something to eat": "pancakes sushi citrus-fruits half-a-fig",
    "a drink": "cocktail espresso drum-and-wine",
    "space rocket": "rocket-on-the-pad space-shuttle",
    "bridge": "roebling-suspension-bridge bridge-cables",
    "boats": "boats-at-nagasaki",
    "insect on a flower": "honey-bee",
    "car": "car",
    "sunset": "sunset",
    "coffee": "espresso",
    "fish": "fish",
    "astronaut": "astronaut eileen-collins",
    "books": "books",
    "bird": "owl parrot budgerigar-in-flight",
    "football": "football",
    "hot air balloon": "hot-air-balloon",
}


def main() -> None:
    with services(DEBUG="false", AI_DESCRIBER="local"):
        from metadata import search
        from metadata.search import Asked

        user, names = _library()
        right = 0
        for question, answers in QUESTIONS.items():
            found = search.find(user, Asked.read(question)).hits(0, 1)
            first = names[found[0].photo] if found else "nothing"
            is_right = first in answers.split()
            right += is_right
            print(f"{'right' if is_right else 'WRONG'}  {question}: {first}")
        print(f"precision at 1: {right / len(QUESTIONS):.2f} ({right} of {len(QUESTIONS)}, among {len(names)} photos)")


def _library() -> tuple[Any, dict[Any, str]]:
    """A person whose library the photos are, and the name of each photo's file."""
    from django.contrib.auth.models import User

    from smugmug.models import Account, Album, Membership

    user = User.objects.create_user("bench")
    account = Account.objects.create(owner=user, nickname="bench", oauth_token="token", oauth_token_secret="secret")
    Membership.objects.create(user=user, account=account, role=Membership.Role.OWNER)
    album = Album.objects.create(account=account, user_id="bench", album_key="A")
    files = sorted(PHOTOS.glob("*.jpg"))
    return user, {_photo(album, number, path): path.stem for number, path in enumerate(files)}


def _photo(album: Any, number: int, path: Path) -> Any:
    """The photo's id; described and embedded as a run does it."""
    from metadata import process
    from metadata.describe import Brief
    from metadata.describe.picture import prepare
    from metadata.models import AIMetadata, PhotoEmbedding
    from smugmug.models import Photo

    describer = process.configured_describer()
    said = describer.describe(prepare(path.read_bytes(), pixels=1024).jpeg, Brief.default()).description
    photo = Photo.objects.create(account=album.account, album=album, image_key=f"K{number}", image_id=f"K{number}-0")
    words = AIMetadata.objects.create(
        photo=photo,
        ai_title=said.title,
        ai_description=said.description,
        ai_alt_text=said.alt_text,
        ai_tags=list(said.tags),
        ai_categories=list(said.categories),
        processing_status=AIMetadata.Processing.COMPLETED,
    )
    answer = describer.embed([words.text_to_embed])
    PhotoEmbedding.objects.create(photo=photo, model=answer.model, embedding=answer.vectors[0])
    return photo.pk


if __name__ == "__main__":
    main()
