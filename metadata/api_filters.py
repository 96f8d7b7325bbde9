"""Which words are meant, as programs say it: the review filter, part by part."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from ninja import Field
from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError

from metadata.forms_review import Order, Status
from metadata.models import AIMetadata
from metadata.review_filter import BadFilter, ReviewFilter, no_such
from smugmug.api import LONGEST_NICKNAME
from targetvision.problems import KINDS, ProblemError
from targetvision.schemas import PlainText, Wish

if TYPE_CHECKING:
    from django.http import HttpRequest

    from smugmug.models import Account


def _day(value: Any) -> Any:
    """Pydantic would take "0" for the first day of 1970."""
    if isinstance(value, datetime.date) or value is None or re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value), re.ASCII):
        return value
    raise PydanticCustomError("day", "Input should be a day as 2026-05-31")


Day = Annotated[datetime.date, BeforeValidator(_day)]
Tag = Annotated[PlainText, Field(max_length=60)]


def refuse_unknown(request: HttpRequest, query: type[BaseModel]) -> None:
    """422 where the address has a part that the query does not know: nothing is to be found by half a filter."""
    unknown = sorted(set(request.GET) - set(query.model_fields))
    errors = [{"where": "query", "field": name, "detail": KINDS["extra_forbidden"]} for name in unknown]
    if errors:
        raise ProblemError(422, no_such(unknown[0]), errors=errors)


class FilterQuery(BaseModel):
    """The words that are asked for; each part that is given narrows them."""

    account: PlainText = Field(default="", max_length=LONGEST_NICKNAME, description="SmugMug's nickname of a library.")
    status: Status = Field(default=Status.WAITING, description="What became of the words.")
    album: UUID | None = Field(default=None, description="Our id of an album.")
    after: Day | None = Field(default=None, description="Taken on that day or later.")
    before: Day | None = Field(default=None, description="Taken on that day or earlier.")
    lane: AIMetadata.Lane | None = Field(default=None, description="How closely the words should be looked at.")
    tag: Tag = ""
    category: Tag = ""
    model: PlainText = Field(default="", max_length=120, description="Which model wrote them.")
    prompt: PlainText = Field(default="", max_length=64, description="Name and version.")
    text: PlainText = Field(default="", max_length=200, description="In the words, in whatever case.", examples=["cat"])

    def wanted(self, account: Account | None = None) -> ReviewFilter:
        """The filter, in that library; refused where its parts do not go together."""
        parts = {name: "" if value is None else str(value) for name, value in self}
        parts = {name: value for name, value in parts.items() if name in ReviewFilter.__dataclass_fields__}
        try:
            return ReviewFilter.from_json(parts | ({"account": account.nickname} if account else {}))
        except BadFilter as exc:
            raise ProblemError(422, str(exc)) from None


class OrderedQuery(FilterQuery):
    """The same, and which come first."""

    order: Order | None = Field(
        default=None,
        description="Without it: of what waits the surest, in the lanes to read the least sure, else the oldest.",
    )


class FilterWish(FilterQuery, Wish):
    """The same in the body of a request."""
