"""Accepting a lane, or whatever a filter finds, after a look at some of it that was drawn at random."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from metadata import decision_cards, library, queue, sampling
from metadata.forms_review import Status
from metadata.forms_samples import SizeForm, VerdictForm
from metadata.models import AIMetadata, Decision, Sample
from metadata.queue import ReviewFilter
from metadata.sampling import CannotSample, Standing
from metadata.views.filtering import LABELS
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest, changeable
from targetvision.templates import template_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RATES = (0.05, 0.02, 0.01)
MORE = 30
READY = 6  # the photo that is shown, and five to have ready
LISTED = 50
LOST_RACE = 409


@dataclass(frozen=True)
class Goal:
    """So many looks, to be able to say "at most `percent` %"."""

    percent: str
    photos: int
    looks: int


@dataclass(frozen=True)
class Line:
    """One sample of the list."""

    sample: Sample
    about: str
    standing: Standing

    @property
    def decision(self) -> Decision | None:
        return self.sample.decision


@require_GET
def samples(request: SignedInRequest) -> HttpResponse:
    """The last samples, and the way to a new one: of what the address asks for."""
    wanted, _ = ReviewFilter.read(request.GET)
    rows = list(
        Sample.objects.visible_to(request.user)
        .select_related("account", "decision", "made_by")
        .annotate(
            held=Count("drawn"),
            right=Count("drawn", filter=Q(drawn__is_right=True)),
            wrong=Count("drawn", filter=Q(drawn__is_right=False)),
        )
        .newest_first()[:LISTED]
    )
    filters = [sampling.filter_of(row) for row in rows]
    abouts = in_words(request.user, [*filters, wanted])
    context = {
        "here": "review",
        "lines": [Line(row, about, _as_stored(row)) for row, about in zip(rows, abouts, strict=False)],
        "about": abouts[-1] if wanted.is_narrow else "",
        "new_url": _new_url(wanted),
        "may_draw": Account.objects.changeable_by(request.user).exists(),
    }
    return render(request, "metadata/samples.html", context)


def _as_stored(row: Any) -> Standing:
    """Roughly where a sample stands: without a look at what became of its words since."""
    waiting = row.held - row.right - row.wrong
    return Standing(drawn=row.held, waiting=waiting, right=row.right, wrong=row.wrong, population=row.population)


@require_http_methods(["GET", "POST"])
def new_sample(request: SignedInRequest) -> HttpResponse:
    """How many looks it will take, before one starts; POST draws them."""
    wanted, sentences = ReviewFilter.read(request.GET)
    account = _library(request, wanted)
    found = queue.matching([account.pk], wanted).count() if account else 0
    troubles = list(sentences.values())
    if wanted.status != Status.WAITING:
        troubles.append("Only words that wait for review can be approved after a sample.")
    if request.method == "GET":
        return _new_page(request, wanted, account, found, SizeForm(most=found), troubles)
    form = SizeForm(request.POST, most=found)
    if account and form.is_valid() and not troubles:
        try:
            sample = sampling.draw(account, wanted, by=request.user, size=form.cleaned_data["size"])
        except CannotSample as exc:
            troubles.append(str(exc))
        else:
            if sample.drawn.exclude(is_right=None).exists():
                messages.info(
                    request, "A sample of these was begun before: you go on with it, and all it found counts."
                )
            return redirect("metadata:sample", sample.pk)
    return _new_page(request, wanted, account, found, form, troubles)


def _new_page(
    request: SignedInRequest,
    wanted: ReviewFilter,
    account: Account | None,
    found: int,
    form: SizeForm,
    troubles: list[str],
) -> HttpResponse:
    names = Account.objects.changeable_by(request.user).order_by("nickname").values_list("nickname", flat=True)
    context = {
        "here": "review",
        "account": account,
        "libraries": [] if account else [(name, _new_url(replace(wanted, account=name))) for name in names],
        "about": in_words(request.user, [wanted])[0],
        "found": found,
        "goals": _goals(found) if found else [],
        "form": form,
        "troubles": troubles,
        "new_url": _new_url(wanted),
        "review_url": f"{reverse('metadata:review')}?{wanted.text_form()}",
        "all_url": _new_url(ReviewFilter(account=wanted.account)),
    }
    return render(request, "metadata/new_sample.html", context, status=422 if request.method == "POST" else 200)


def _goals(population: int) -> list[Goal]:
    """One for each rate that says something of its own: of few photos, 2 % and 1 % are the same."""
    goals: dict[int, Goal] = {}
    for rate in RATES:
        photos = math.floor(Fraction(str(rate)) * population)
        goals.setdefault(photos, Goal(f"{100 * rate:g}", photos, sampling.looks_needed(population, rate)))
    return list(goals.values())


@require_GET
@never_cache  # “Back” would bring a photo that has been judged
def sample(request: SignedInRequest, pk: int) -> HttpResponse:
    """The next photo of the sample; where all have been looked at, what they say."""
    return _page(request, _changeable(request, pk))


@require_POST
def judge_sample(request: SignedInRequest, pk: int) -> HttpResponse:
    """One verdict about the words that were shown."""
    sample = _changeable(request, pk)
    form = VerdictForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Say whether the words are right or wrong.")
        return _page(request, sample, status=422)
    drawn = sample.drawn.select_related("sample").filter(pk=form.cleaned_data["drawn"]).first()
    if drawn is None:
        messages.warning(request, "These words are not in this sample.")
        return _page(request, sample, status=422)
    try:
        sampling.judge(drawn, by=request.user, version=form.cleaned_data["version"], is_right=form.is_right)
    except CannotSample as exc:
        return _refused(request, sample, exc)
    return _go_on(request, sample)


@require_POST
def take_back_verdict(request: SignedInRequest, pk: int) -> HttpResponse:
    """The person's newest verdict is none any more, and its photo comes again."""
    sample = _changeable(request, pk)
    try:
        sampling.take_back(sample, by=request.user)
    except CannotSample as exc:
        return _refused(request, sample, exc)
    return _go_on(request, sample)


@require_POST
def extend_sample(request: SignedInRequest, pk: int) -> HttpResponse:
    """Draw more."""
    sample = _changeable(request, pk)
    form = SizeForm(request.POST)
    if not form.is_valid():
        return _page(request, sample, form=form, status=422)
    try:
        sampling.extend(sample, size=form.cleaned_data["size"])
    except CannotSample as exc:
        return _refused(request, sample, exc)
    return _go_on(request, sample)


@require_POST
def accept_sample(request: SignedInRequest, pk: int) -> HttpResponse:
    """Approve the rest, as one decision that a job carries out."""
    sample = _changeable(request, pk)
    try:
        sampling.accept(sample, by=request.user)
    except CannotSample as exc:
        return _refused(request, sample, exc)
    return redirect("metadata:sample", sample.pk)


def _refused(request: SignedInRequest, sample: Sample, exc: CannotSample) -> HttpResponse:
    messages.warning(request, str(exc))
    return _page(request, sample, status=LOST_RACE)


def _changeable(request: SignedInRequest, pk: int) -> Sample:
    found: Sample = changeable(request, Sample.objects.select_related("account", "decision"), pk=pk)
    return found


def _go_on(request: SignedInRequest, sample: Sample) -> HttpResponse:
    return _page(request, sample) if getattr(request, "htmx", False) else redirect("metadata:sample", sample.pk)


def _page(request: SignedInRequest, sample: Sample, *, form: SizeForm | None = None, status: int = 200) -> HttpResponse:
    shown = sampling.to_see(sample, READY) if sample.is_open else []
    for each in shown:
        library.dress_photo(each.words.photo)
    standing = sampling.standing(sample, is_exact=not shown) if sample.is_open else None
    wanted = sampling.filter_of(sample)
    context: dict[str, Any] = {
        "here": "review",
        "sample": sample,
        "about": in_words(request.user, [wanted])[0],
        "now": standing,
        "drawn": shown[0] if shown else None,
        "upcoming": [each.words.photo for each in shown[1:]],
        "may_take_back": bool(standing) and sample.drawn.filter(seen_by=request.user).exists(),
        "review_url": f"{reverse('metadata:review')}?{wanted.text_form()}",
    }
    if not shown:
        context |= _result(sample, standing, form)
    return render(request, template_for(request, "metadata/sample.html", partial="card"), context, status=status)


def _result(sample: Sample, standing: Standing | None, form: SizeForm | None) -> dict[str, Any]:
    """What a page shows of a sample that has been looked through, or accepted."""
    further = {} if standing is None else {rate: standing.more_looks(rate) for rate in RATES}
    more = min(MORE, standing.unseen) if standing else 0
    return {
        "wrong": sampling.found_wrong(sample),
        "goals": [Goal(f"{100 * rate:g}", 0, looks) for rate, looks in further.items() if looks and looks != more],
        "more": more,
        "form": form or SizeForm(),
        "decision": decision_cards.card(sample.decision, may_change=True) if sample.decision else None,
        "said": sample.decision.params if sample.decision else {},
    }


def _library(request: SignedInRequest, wanted: ReviewFilter) -> Account | None:
    """The library that the filter is about: the one it names, else the only one that the person may change."""
    if wanted.account:
        found: Account = changeable(request, Account.objects, nickname=wanted.account)
        return found
    accounts = list(Account.objects.changeable_by(request.user)[:2])
    return accounts[0] if len(accounts) == 1 else None


def _new_url(wanted: ReviewFilter) -> str:
    query = urlencode(replace(wanted, order="").query())
    return reverse("metadata:new_sample") + (f"?{query}" if query else "")


def in_words(user: User, filters: list[ReviewFilter]) -> list[str]:
    """What each filter finds, to read: “Lane: Must look · Album: Zoo”. One query, for the names of albums."""
    wanted = {each.album for each in filters if each.album}
    titles = dict(Album.objects.visible_to(user).filter(pk__in=wanted).values_list("pk", "title")) if wanted else {}
    return [_in_words(each, titles) for each in filters]


def _in_words(wanted: ReviewFilter, titles: dict[Any, str]) -> str:
    values = {name: str(getattr(wanted, name) or "") for name in LABELS if name != "account"}
    if wanted.album:
        values["album"] = titles.get(wanted.album, "unknown")
    parts = [f"Lane: {AIMetadata.Lane(wanted.lane).label}"] if wanted.lane else []
    parts += [f"{LABELS[name]}: {value}" for name, value in values.items() if value]
    return " · ".join(parts) or "All that wait"
