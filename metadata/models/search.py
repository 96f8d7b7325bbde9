"""What text search reads of each photo."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, models
from django.db.models import BooleanField, F, Func, Value

from smugmug.models import Account, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

PENDING_KB = 512  # of new entries that a search may have to read beside the index


class PhotoSearchQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__in=Account.objects.visible_to(user))

    def with_words(self, text: str) -> Self:
        """Texts that hold all of the words, or one that begins like the last of them; accents make no difference."""
        query = Func(Value(text.split()), function="photo_search_all")
        holds = Func(F("document"), query, template="(%(expressions)s)", arg_joiner=" @@ ", output_field=BooleanField())
        return self.filter(holds)


@lru_cache(maxsize=256)
def holds_words(text: str) -> bool:
    """Whether there is anything in it that `with_words` could find: not so of "the", nor of signs alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT photo_search_all(%s) IS NOT NULL", [text.split()])
        return bool(cursor.fetchone()[0])


class PhotoSearch(models.Model):
    """The words of a photo, of its albums and of what was said about it, as Postgres searches them.

    The database itself keeps a row for each photo, and keeps it true; nothing in Python writes here.
    It stands apart from the words, because a row under this index is dear to rewrite.
    """

    photo = models.OneToOneField(Photo, primary_key=True, on_delete=models.CASCADE, related_name="photo_search")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", editable=False)
    is_present = models.BooleanField(help_text="The photo is on SmugMug as far as is known.")
    document = SearchVectorField()

    objects = PhotoSearchQuerySet.as_manager()

    class Meta:
        db_table = "photo_search"
        verbose_name_plural = "photo search"
        indexes = [GinIndex(fields=["document"], name="photo_search_document", gin_pending_list_limit=PENDING_KB)]

    def __str__(self) -> str:
        return f"What is searched of {self.photo_id}"
