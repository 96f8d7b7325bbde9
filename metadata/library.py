"""The library as pages show it: albums, galleries and their figures. Reads only; the number of queries never grows with
the number of rows."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import Count, F, Max, Q, Window
from django.db.models.functions import RowNumber

from metadata.models import AIMetadata, ProcessingRun
from smugmug.models import Account, Album, AlbumPhoto, Photo, SyncRun
from targetvision.models import Run, RunState

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from metadata.tiles import Shown

GALLERY_PAGE = 50
QUICKLY_COUNTED = 1_000  # photos of an album
COVERS = 3
PEEK = 4
BIG = 20_000  # photos
REMEMBERED = 15  # seconds
NEWS = datetime.timedelta(hours=1)

DESCRIBED = Q(ai_metadata__processing_status=AIMetadata.Processing.COMPLETED)
REVIEWED = ~Q(ai_metadata__review_status=AIMetadata.Review.UNREVIEWED)
# What a gallery can be narrowed to: name, label, condition on a photo.
SHOWS: dict[str, tuple[str, Q]] = {
    "all": ("All", Q()),
    "waiting": ("Waiting", DESCRIBED & ~REVIEWED),
    "approved": ("Approved", Q(ai_metadata__review_status=AIMetadata.Review.APPROVED)),
    "failed": ("Failed", Q(ai_metadata__processing_status=AIMetadata.Processing.FAILED)),
}
UNDESCRIBED = Q(ai_metadata=None) | Q(
    ai_metadata__processing_status__in=(AIMetadata.Processing.PENDING, AIMetadata.Processing.PROCESSING)
)


@dataclass(frozen=True)
class Figures:
    """How far an account's photos have come."""

    photos: int = 0
    described: int = 0
    undescribed: int = 0
    approved: int = 0
    rejected: int = 0
    waiting: int = 0
    glance: int = 0  # of those that wait, by lane
    read: int = 0
    look: int = 0
    failed: int = 0
    skipped: int = 0
    albums: int = 0
    synced_at: datetime.datetime | None = None

    @property
    def lanes(self) -> list[tuple[str, str, int]]:
        """What waits: (lane, its name, how many), without the empty ones."""
        counted = [(lane.value, str(lane.label), getattr(self, lane.value)) for lane in AIMetadata.Lane]
        return [lane for lane in counted if lane[2]]

    @property
    def is_big(self) -> bool:
        """Whether counting it anew takes longer than a page may."""
        return self.photos > BIG

    @property
    def reviewed(self) -> int:
        return self.approved + self.rejected

    @property
    def described_share(self) -> int:
        """Whole percent; 100 only when all are described."""
        return 100 * self.described // self.photos if self.photos else 0

    @property
    def reviewed_share(self) -> int:
        return 100 * self.reviewed // self.photos if self.photos else 0


def figures(accounts: Iterable[Account]) -> dict[int, Figures]:
    """The figures of each account, by its id; those of a big one may be REMEMBERED seconds old."""
    found: dict[int, Figures] = remembered("figures", accounts, _figures, keeps=lambda _, found: found.is_big)
    return found


def remembered(
    name: str,
    accounts: Iterable[Account],
    count: Callable[[list[Account]], Mapping[int, Any]],
    *,
    keeps: Callable[[int, Any], bool],
) -> dict[int, Any]:
    """What `count` says of each account, by its id: what it `keeps` is not counted again for REMEMBERED seconds."""
    keys = {account: f"library-{name}:{account.pk}" for account in accounts}
    known = cache.get_many(keys.values())
    counted = count([account for account, key in keys.items() if key not in known])
    cache.set_many({f"library-{name}:{pk}": value for pk, value in counted.items() if keeps(pk, value)}, REMEMBERED)
    return {**{account.pk: known[key] for account, key in keys.items() if key in known}, **counted}


def _figures(accounts: list[Account]) -> dict[int, Figures]:
    ids = [account.pk for account in accounts]
    photos = Photo.objects.present().filter(account__in=ids).values("account").order_by()
    rows = photos.annotate(
        photos=Count("pk"),
        described=Count("pk", filter=DESCRIBED),
        undescribed=Count("pk", filter=UNDESCRIBED),
        approved=Count("pk", filter=SHOWS["approved"][1]),
        rejected=Count("pk", filter=Q(ai_metadata__review_status=AIMetadata.Review.REJECTED)),
        waiting=Count("pk", filter=SHOWS["waiting"][1]),
        **{
            lane: Count("pk", filter=SHOWS["waiting"][1] & Q(ai_metadata__lane=lane)) for lane in AIMetadata.Lane.values
        },
        failed=Count("pk", filter=SHOWS["failed"][1]),
        skipped=Count("pk", filter=Q(ai_metadata__processing_status=AIMetadata.Processing.SKIPPED)),
    )
    albums = Album.objects.present().filter(account__in=ids).values("account").order_by()
    album_rows = albums.annotate(albums=Count("pk"), synced_at=Max("synced_at"))
    found: dict[int, dict[str, Any]] = {pk: {} for pk in ids}
    for row in [*rows, *album_rows]:
        found[row["account"]] |= {name: value for name, value in row.items() if name != "account"}
    return {pk: Figures(**row) for pk, row in found.items()}


def dress_albums(albums: Iterable[Album]) -> list[Album]:
    """The albums with photo_count, described_count, reviewed_count and covers (at most three photos)."""
    dressed: list[Any] = list(albums)
    standings = AlbumPhoto.objects.filter(album__in=dressed, photo__removed_at=None)
    counts = {
        row["album"]: row
        for row in standings.values("album")
        .order_by()
        .annotate(
            photo_count=Count("pk"),
            described_count=Count(
                "pk", filter=Q(photo__ai_metadata__processing_status=AIMetadata.Processing.COMPLETED)
            ),
            reviewed_count=Count(
                "pk",
                filter=Q(photo__ai_metadata__isnull=False)
                & ~Q(photo__ai_metadata__review_status=AIMetadata.Review.UNREVIEWED),
            ),
        )
    }
    rank = Window(RowNumber(), partition_by="album", order_by=("position", "photo"))
    covers: dict[Any, list[Photo]] = {}
    for standing in standings.annotate(rank=rank).filter(rank__lte=COVERS).order_by("rank").select_related("photo"):
        covers.setdefault(standing.album_id, []).append(standing.photo)
    for album in dressed:
        row: Mapping[str, Any] = counts.get(album.pk) or {}
        for name in ("photo_count", "described_count", "reviewed_count"):
            setattr(album, name, row.get(name, 0))
        album.covers = covers.get(album.pk, [])
    return dressed


def gallery(album: Album, *, show: str, after: int) -> tuple[list[Photo], int | None]:
    """GALLERY_PAGE photos of the album beyond position `after`, and the position to go on from (None at the end)."""
    rows = _album_photos(album).filter(SHOWS[show][1], position__gt=after).select_related("ai_metadata")
    photos = list(rows[: GALLERY_PAGE + 1])
    page = photos[:GALLERY_PAGE]
    for photo in page:
        dress_photo(photo)
    return page, page[-1].position if len(photos) > GALLERY_PAGE else None


def gallery_counts(album: Album) -> dict[str, int]:
    """How many photos each of SHOWS holds, and under `undescribed` how many nobody described yet."""
    counts: dict[str, int] = (
        _album_photos(album)
        .order_by()
        .aggregate(
            **{name: Count("pk", filter=condition) for name, (_, condition) in SHOWS.items() if condition},
            all=Count("pk"),
            undescribed=Count("pk", filter=UNDESCRIBED),
        )
    )
    return counts


def neighbours(photo: Photo, album: Album) -> tuple[Photo | None, Photo | None]:
    """The photos before and after this one in the album."""
    here = AlbumPhoto.objects.filter(album=album, photo=photo).values_list("position", flat=True).first()
    if here is None:
        return None, None
    photos = _album_photos(album)
    before = photos.filter(position__lt=here).order_by("-position").first()
    return before, photos.filter(position__gt=here).first()


def _album_photos(album: Album) -> QuerySet[Any]:
    """The album's photos with their position in it."""
    return Photo.objects.present().in_album(album)


def dress_photo(photo: Any) -> None:
    """Give the photo `words` (None where there are none), and a mark for its state with a title for it."""
    words: AIMetadata | None = getattr(photo, "ai_metadata", None)
    photo.words = words
    photo.mark, photo.mark_title = mark(words)


def mark(words: AIMetadata | Shown | None) -> tuple[str, str]:
    """The mark (good, wait, bad, idle) and the sentence for the state of a photo's words."""
    if words is None:
        return "idle", AIMetadata.Processing.PENDING.label
    if words.review_status == AIMetadata.Review.APPROVED:
        return "good", f"Approved by {words.approved_by.partition(':')[2]}"
    if words.review_status == AIMetadata.Review.REJECTED:
        return "bad", f"Rejected: {words.rejection_reason}"
    if words.processing_status == AIMetadata.Processing.FAILED:
        return "bad", f"Failed: {words.error}"
    if words.waits_for_review:
        return "wait", AIMetadata.Review.UNREVIEWED.label
    if words.processing_status == AIMetadata.Processing.SKIPPED:
        return "idle", f"Skipped: {words.error}"
    return "idle", AIMetadata.Processing(words.processing_status).label


def first_waiting(accounts: Iterable[Account]) -> dict[int, list[Photo]]:
    """The first PEEK photos that wait for review in each account, by its id."""
    ids = [account.pk for account in accounts]
    # One branch for each account: each is read from the index as far as it is shown.
    branches = [AIMetadata.objects.for_review().filter(account=pk).order_by("sort_at", "pk") for pk in ids]
    first = [rows.values("pk")[:PEEK] for rows in branches]
    rows = (
        AIMetadata.objects.filter(pk__in=first[0].union(*first[1:], all=True)) if first else AIMetadata.objects.none()
    )
    found: dict[int, list[Photo]] = {pk: [] for pk in ids}
    for row in rows.order_by("sort_at", "pk").select_related("photo"):
        found[row.account_id].append(row.photo)
    return found


def failures(accounts: Iterable[Account]) -> dict[int, list[tuple[str, int]]]:
    """Why photos could not be described, with how many for each sentence, the most frequent first; by account's id."""
    ids = [account.pk for account in accounts]
    rows = _failed().filter(account__in=ids).values_list("account", "error")
    found: dict[int, list[tuple[str, int]]] = {pk: [] for pk in ids}
    for pk, sentence, photos in rows.annotate(photos=Count("pk")).order_by("-photos", "error"):
        found[pk].append((sentence, photos))
    return found


def failures_in(album: Album) -> list[tuple[str, int]]:
    """The same for the photos that stand in one album."""
    rows = _failed().filter(photo__standings__album=album).values_list("error")
    return list(rows.annotate(photos=Count("pk")).order_by("-photos", "error"))


def _failed() -> QuerySet[AIMetadata]:
    """Failed, and not decided on: what a run over the failed takes up."""
    return AIMetadata.objects.filter(
        processing_status=AIMetadata.Processing.FAILED,
        review_status=AIMetadata.Review.UNREVIEWED,
        photo__removed_at=None,
    ).order_by()


def newest_runs(accounts: Iterable[Account]) -> dict[int, list[Run]]:
    """The newest sync and the newest processing of each account, by its id."""
    ids = [account.pk for account in accounts]
    found: dict[int, list[Run]] = {pk: [] for pk in ids}
    for model in (SyncRun, ProcessingRun):
        rank = Window(RowNumber(), partition_by="account", order_by=F("created_at").desc())
        runs = model.objects.filter(account__in=ids).select_related("account", *_album_of(model))
        for run in runs.annotate(rank=rank).filter(rank=1):
            found[run.account_id].append(run)
    return found


def _album_of(model: type[Run]) -> list[str]:
    return ["album"] if model is ProcessingRun else []


def syncs_of(album: Album, now: datetime.datetime) -> list[SyncRun]:
    """The newest sync of this album alone, while it is under way and for an hour after."""
    rows = SyncRun.objects.filter(account=album.account, album_keys__contains=[album.album_key])
    newest = rows.select_related("account").newest_first()[:1]
    return [run for run in newest if run.is_active or (run.finished_at and now - run.finished_at < NEWS)]


def is_news(run: Run, now: datetime.datetime) -> bool:
    """Whether the dashboard still shows the run: it is active, went wrong, or ended within the hour."""
    if run.is_active or run.state in (RunState.FAILED, RunState.PARTIAL):
        return True
    return run.finished_at is not None and now - run.finished_at < NEWS
