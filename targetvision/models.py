"""What a person prefers, their tokens, and what every app's long work has in common: a run is a row, and the row is the
truth."""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Lower, Now
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class RunError(TypedDict):
    """One thing of a run that could not be done: what it was, and the sentence for the person."""

    key: str
    title: str
    sentence: str


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    SUCCEEDED = "succeeded", "Succeeded"
    PARTIAL = "partial", "Partly done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)
PAUSES = (60, 120, 300, 600, 900)  # seconds, one after the other while a server is away; the last again and again


def pause_seconds(pauses: int) -> int:
    """How long a run waits that has paused so many times in a row without getting anything done."""
    return PAUSES[min(pauses, len(PAUSES) - 1)]


def database_time() -> datetime.datetime:
    """Now, by the clock that all machines share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime.datetime = cursor.fetchone()[0]
    return now


class RunQuerySet(models.QuerySet):
    """Every concrete run has an `account` with memberships; who may see that may see the run."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        # IN, because "= None" would find for nobody the runs of libraries that have no member.
        return self.filter(account__memberships__user_id__in=[user.pk])

    def changeable_by(self, user: User | AnonymousUser) -> Self:
        return self.filter(account__memberships__user_id=user.pk, account__memberships__role__in=("owner", "curator"))

    def active(self) -> Self:
        """Runs that are not over."""
        return self.filter(state__in=ACTIVE)

    def stalled(self) -> Self:
        """Runs that should be worked on and are not: nobody has shown a sign of life for three heartbeats."""
        silence = timezone.now() - datetime.timedelta(seconds=3 * settings.HEARTBEAT_SECONDS)
        return self.filter(state__in=(RunState.QUEUED, RunState.RUNNING)).filter(
            Q(heartbeat_at__lt=silence) | Q(heartbeat_at=None, created_at__lt=silence)
        )

    def due(self) -> Self:
        """Paused runs that are to go on by themselves now."""
        return self.filter(state=RunState.PAUSED, resume_at__lte=Now())

    def newest_first(self) -> Self:
        return self.order_by("-created_at")


class Run(models.Model):
    """Work that outlives a request: who asked for it, how far it is, and what came of it.

    Every change of state is one conditional UPDATE; the methods say whether they won.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.QUEUED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    total = models.PositiveIntegerField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    waiting_for = models.TextField(blank=True, help_text="A sentence: what the run waits for, or why it stopped.")
    errors = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    resume_at = models.DateTimeField(null=True, blank=True, help_text="When a paused run goes on by itself.")
    pauses = models.PositiveSmallIntegerField(default=0, help_text="Pauses in a row in which nothing got done.")
    holder = models.UUIDField(null=True, blank=True, editable=False, help_text="Who works on it, where only one may.")

    objects: ClassVar[Any] = RunQuerySet.as_manager()
    _token: uuid.UUID | None = None  # ours, since begin(alone=True): who lost the run changes nothing any more

    class Meta:
        abstract = True

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_being_worked_on(self) -> bool:
        return self.state == RunState.RUNNING

    @property
    def error_count(self) -> int:
        return len(self.errors)

    @property
    def rate(self) -> float | None:
        """Items a second since the start; None before there is anything to say."""
        seconds = (self.seconds or 0.0) if self.done else 0.0
        return self.done / seconds if seconds >= 1 else None

    @property
    def seconds(self) -> float | None:
        """How long the run has taken, up to now or its end."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        if not self.rate or self.total is None:
            return None
        return max(self.total - self.done, 0) / self.rate

    def begin(self, *, alone: bool) -> bool:
        """Start or continue working on the run; False where it is over, paused, or (`alone`) in other hands.

        Taken `alone`, the run is changed through this instance only as long as nobody else has taken it since.
        """
        free = Q(state=RunState.QUEUED)
        silence = timezone.now() - datetime.timedelta(seconds=3 * settings.HEARTBEAT_SECONDS)
        free |= Q(state=RunState.RUNNING, heartbeat_at__lt=silence) if alone else Q(state=RunState.RUNNING)
        token = uuid.uuid4() if alone else None
        self._token = None
        # started_at by the database's clock, to be compared with times that other machines' work has left there.
        if not self._change(
            free,
            state=RunState.RUNNING,
            started_at=Coalesce(F("started_at"), Now()),
            heartbeat_at=timezone.now(),
            waiting_for="",
            holder=token,
        ):
            return False
        self._token = token
        return True

    def beat(self, **changes: Any) -> bool:
        """Show a sign of life, with what has changed; False where the run is no longer to be worked on."""
        return self._change(Q(state=RunState.RUNNING), heartbeat_at=timezone.now(), **changes)

    def queue(self) -> bool:
        """Give the run back, for its continuation to take up; what a person has paused meanwhile stays so."""
        going = Q(state__in=(RunState.QUEUED, RunState.RUNNING))
        return self._change(going, state=RunState.QUEUED, heartbeat_at=timezone.now())

    def release(self) -> bool:
        """Take the run out of hands that are known to be gone; the reconciler finds it at its next look."""
        long_ago = timezone.now() - datetime.timedelta(days=1)
        return self._change(Q(state=RunState.RUNNING), state=RunState.QUEUED, heartbeat_at=long_ago)

    def resume(self) -> bool:
        """Let a paused run go on."""
        return self._change(
            Q(state=RunState.PAUSED), state=RunState.QUEUED, heartbeat_at=timezone.now(), resume_at=None
        )

    def pause(self, why: str, *, seconds: float | None = None) -> bool:
        """Stop working on the run until somebody continues it, or for `seconds`; `why` is what the person reads."""
        resume_at = None if seconds is None else timezone.now() + datetime.timedelta(seconds=seconds)
        return self._change(
            Q(state__in=(RunState.QUEUED, RunState.RUNNING)),
            state=RunState.PAUSED,
            waiting_for=why,
            resume_at=resume_at,
            pauses=F("pauses") + int(seconds is not None),
        )

    def cancel(self) -> bool:
        return self._change(Q(state__in=ACTIVE), state=RunState.CANCELLED, finished_at=timezone.now())

    def finish(self, state: RunState, why: str = "") -> bool:
        """Close the run as succeeded, partial or failed."""
        return self._change(Q(state=RunState.RUNNING), state=state, finished_at=timezone.now(), waiting_for=why)

    def _change(self, condition: Q, **changes: Any) -> bool:
        if self._token:
            condition &= Q(holder=self._token)
        won = type(self).objects.filter(condition, pk=self.pk).update(**changes)
        self.refresh_from_db()
        return bool(won)


class Preference(models.Model):
    """What a person has chosen for themselves."""

    class Theme(models.TextChoices):
        SYSTEM = "", "As the system"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preference"
    )
    theme = models.CharField(max_length=5, choices=Theme, blank=True, default=Theme.SYSTEM)

    def __str__(self) -> str:
        return f"{self.user}: {self.get_theme_display()}"


class ApiTokenQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(user_id=user.pk)

    def kept(self) -> Self:
        """Those that nobody has revoked; they may be past their time."""
        return self.filter(revoked_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")


class ApiToken(models.Model):
    """What a program shows to act as a person. The token itself is nowhere: only its hash is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    hash = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the token.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="Within a minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        constraints = [
            models.UniqueConstraint(
                "user",
                Lower("name"),
                condition=Q(revoked_at=None),
                name="targetvision_one_token_of_a_name",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def is_live(self) -> bool:
        """Whether it lets anybody in, its person being active."""
        return self.revoked_at is None and not self.has_expired
