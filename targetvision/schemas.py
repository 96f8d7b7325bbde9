"""What the API takes and gives, where every app does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from django.core.paginator import EmptyPage, Paginator
from django.http import Http404
from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from targetvision.problems import InvalidProblem, Problem

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

READS = (401, 404, 422)  # the problems that a question may meet
CHANGES = (400, 401, 403, 404, 415, 422)  # and a change


# Text that Postgres can keep: no NUL; halves of surrogate pairs fail the match too.
PlainText = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class Wish(BaseModel):
    """The body of a request: an object of known fields. (Ninja's own Schema would take anything for an empty one.)"""

    model_config = ConfigDict(extra="forbid")


class Paging(BaseModel):
    """Which page of a list."""

    page: int = Field(default=1, ge=1, description="Counted from 1; 404 beyond the last.")
    page_size: int = Field(default=50, ge=1, le=100)


class Page(Schema):
    """A page of a list; its subclasses say what `items` are."""

    page: int
    page_size: int
    pages: int
    total: int
    next: str | None = Field(description="Address of the next page; null on the last.")
    previous: str | None


def page_of(request: HttpRequest, rows: QuerySet[Any], paging: Paging) -> dict[str, Any]:
    """The page of the ordered rows, as Page has it; Http404 beyond the last, for which no row is read."""
    paginator = Paginator(rows, paging.page_size)
    try:
        page = paginator.page(paging.page)
    except EmptyPage:
        pages = f"{paginator.num_pages} page{'s' * (paginator.num_pages != 1)}"
        raise Http404(f"There is no such page: this list has {pages} of {paging.page_size}.") from None
    return {
        "page": page.number,
        "page_size": paging.page_size,
        "pages": paginator.num_pages,
        "total": paginator.count,
        "next": _address(request, page.number + 1) if page.has_next() else None,
        "previous": _address(request, page.number - 1) if page.has_previous() else None,
        "items": list(page.object_list),
    }


def _address(request: HttpRequest, page: int) -> str:
    return f"{request.path}?{urlencode({**request.GET.dict(), 'page': page})}"


def answers(given: dict[int, Any], *problems: int) -> dict[int, Any]:
    """The answers of an operation by status: what it gives, and the problems that it may meet."""
    return given | {status: InvalidProblem if status == 422 else Problem for status in sorted(problems)}
