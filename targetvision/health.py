"""Whether the process answers (/healthz), and whether it has what it needs to work (/readyz).

Nothing here waits for long, and nothing goes through the pool: a check that hangs with what it checks says nothing.
"""

from __future__ import annotations

import functools

import psycopg
import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker
from rq.command import PUBSUB_CHANNEL_TEMPLATE

SECONDS = 2  # for Postgres to let us in, for its answer, and for Redis
OK = "ok"


@never_cache
@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; it asks nobody else."""
    return HttpResponse(OK, content_type="text/plain")


@never_cache
@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """`ok` or a sentence for each thing that is needed; 503 unless all are ok."""
    database, migrations = _database()
    queue, worker = _queue()
    found = {"database": database, "queue": queue, "worker": worker, "migrations": migrations}
    return JsonResponse(found, status=200 if set(found.values()) == {OK} else 503)


def _database() -> tuple[str, str]:
    try:
        applied = _applied()
    except psycopg.errors.UndefinedTable:
        return OK, "No migration has been applied: run manage.py migrate."
    except psycopg.Error:
        return "The database does not answer.", "Nobody can tell without the database."
    missing = len(known_migrations() - applied)
    return OK, f"{missing} migrations have not been applied: run manage.py migrate." if missing else OK


def _applied() -> set[tuple[str, str]]:
    with _connect() as direct:
        return {(app, name) for app, name in direct.execute("SELECT app, name FROM django_migrations")}


def _connect() -> psycopg.Connection[tuple[str, str]]:
    """Past Django's pool, which would make a check wait for its turn."""
    params = connection.get_connection_params()
    del params["cursor_factory"]
    options = f"{params.get('options', '')} -c statement_timeout={SECONDS * 1000}"
    return psycopg.connect(**{**params, "options": options, "connect_timeout": SECONDS, "autocommit": True})


@functools.cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of every migration this program has, those that others replace too; they do not change meanwhile."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _queue() -> tuple[str, str]:
    impatient = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS, "retry": Retry(NoBackoff(), 0)}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **impatient) as client:
            alive = workers_alive(client)
    except redis.RedisError:
        return "The queue does not answer.", "Nobody can tell without the queue."
    return OK, OK if alive else "No worker is running."


def workers_alive(client: redis.Redis) -> set[str]:
    """The names of the workers that listen for commands now.

    RQ knows a worker that was killed for seven minutes more; its subscription ended with its connection. The
    subscriptions are those of all databases of the server, the names only those of ours.
    """
    names = {key.removeprefix(Worker.redis_worker_namespace_prefix) for key in Worker.all_keys(connection=client)}
    listening = set(client.pubsub_channels(PUBSUB_CHANNEL_TEMPLATE % "*"))
    return {name for name in names if (PUBSUB_CHANNEL_TEMPLATE % name).encode() in listening}
