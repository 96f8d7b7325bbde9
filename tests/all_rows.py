"""All rows of the test's database at once: taken out, put by, and put back.

The rows are taken as they are: no trigger and no foreign key looks at them.
"""

from __future__ import annotations

from django.db import connection

# What the migrations leave stays, as after Django's flush.
EACH = """
DO $$ DECLARE name text; columns text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
        WHERE attrelid = ('public.' || quote_ident(name))::regclass
            AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE %s;
    END LOOP;
END $$
"""


def remove() -> None:
    """No row is left."""
    _do(EACH % "format('DELETE FROM public.%I', name)")


def put_by() -> None:
    """A copy is kept apart, in place of the one before."""
    _do("DROP SCHEMA IF EXISTS put_by CASCADE", "CREATE SCHEMA put_by")
    _do(EACH % "format('CREATE UNLOGGED TABLE put_by.%1$I AS SELECT %2$s FROM public.%1$I', name, columns)")


def put_back() -> None:
    """The copy's rows come to those that are there."""
    _do(EACH % "format('INSERT INTO public.%1$I (%2$s) SELECT %2$s FROM put_by.%1$I', name, columns)")


def _do(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
