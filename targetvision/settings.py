"""Django's settings. Pure: everything that varies comes from the environment (see .env.example)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from targetvision import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", "var", base=BASE_DIR)

DEBUG = env.flag("DEBUG", default=False)
PORT = env.integer("PORT", 8000, low=1, high=65535)
BIND = env.address("BIND", "127.0.0.1")
SITE_URL = env.url("SITE_URL", f"http://localhost:{PORT}")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]", urlsplit(SITE_URL).hostname or ""]
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
SECRET_KEY = env.required(
    "SECRET_KEY", "set it to a long random text (it is made only where the database or the queue is TargetVision's own)"
)
FIELD_ENCRYPTION_KEYS = env.fernet_keys("FIELD_ENCRYPTION_KEYS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_rq",
    "template_partials",
    "csp",
    "targetvision",
    "smugmug",
    "metadata",
]

MIDDLEWARE = [
    "targetvision.gate.PictureGate",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "targetvision.middleware.ProblemMiddleware",
    "targetvision.middleware.Utf8Middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "targetvision.middleware.TokenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "targetvision.middleware.LoginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "targetvision.urls"
WSGI_APPLICATION = "targetvision.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "metadata.views.navigation",
                "targetvision.preferences.theme",
            ]
        },
    },
    {
        # For *.jinja alone, which the tag `jinja` draws.
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"environment": "targetvision.templates.environment"},
    },
]

# --- Postgres and Redis ------------------------------------------------------------------------------------
_database_url = env.required("DATABASE_URL", "start through manage.py, or set it to postgres://user:password@host/name")
try:
    if urlsplit(_database_url).scheme not in {"postgres", "postgresql"}:
        raise ValueError("another kind of database")
    DATABASES = {"default": environ.Env.db_url_config(_database_url)}
except (ImproperlyConfigured, ValueError):
    raise env.WrongSetting("DATABASE_URL makes no sense; it takes postgres://user:password@host/name.") from None
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
# A pool: gunicorn's threads come and go, and each would open a connection of its own.
DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 0, "max_size": 12, "timeout": 10}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.required("REDIS_URL", "start through manage.py, or set it to redis://host:6379/0")
if urlsplit(REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
    raise env.WrongSetting("REDIS_URL makes no sense; it takes redis://host:6379/0.")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
RQ_QUEUES = {name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 600} for name in ("smugmug", "metadata")}
RQ = {"QUEUE_CLASS": "targetvision.queue.Queue"}
RQ_SHOW_ADMIN_LINK = False

# --- SmugMug -----------------------------------------------------------------------------------------------
SMUGMUG_API_KEY = env.text("SMUGMUG_API_KEY")
SMUGMUG_API_SECRET = env.text("SMUGMUG_API_SECRET")
SMUGMUG_API_URL = env.url("SMUGMUG_API_URL", "https://api.smugmug.com")
SMUGMUG_OAUTH_URL = env.url("SMUGMUG_OAUTH_URL", "https://api.smugmug.com/services/oauth/1.0a")
SMUGMUG_REQUESTS_PER_SECOND = env.decimal("SMUGMUG_REQUESTS_PER_SECOND", 4, low=0.1, high=1000)
# For so long a page believes what SmugMug said to another; a sync asks anew. 0: never.
SMUGMUG_CACHE_SECONDS = env.integer("SMUGMUG_CACHE_SECONDS", 3600, low=0, high=604_800)
# Pictures kept on disk for the browser; those used longest ago go first.
IMAGE_CACHE_MB = env.integer("IMAGE_CACHE_MB", 2048, low=10, high=10_000_000)

# --- The describer -----------------------------------------------------------------------------------------
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL")
AI_DESCRIBER = env.choice(
    "AI_DESCRIBER", "openai" if OPENAI_API_KEY or OPENAI_BASE_URL else "local", ("openai", "local")
)
OPENAI_MODEL = env.text("OPENAI_MODEL", "gpt-6-luna")
OPENAI_EMBEDDING_MODEL = env.text("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small")
# gpt-6 models think at medium effort unless told otherwise; other servers may refuse the field.
OPENAI_REASONING_EFFORT = env.text("OPENAI_REASONING_EFFORT", "" if OPENAI_BASE_URL else "none")
AI_IMAGE_PIXELS = env.integer("AI_IMAGE_PIXELS", 1024, low=128, high=4096)
AI_BATCH_SIZE = env.integer("AI_BATCH_SIZE", 20, low=1, high=500)
# What a run may spend that is given no budget of its own; None: no bound.
AI_RUN_BUDGET_USD = env.usd("AI_RUN_BUDGET_USD")
AI_CONCURRENCY = env.integer("AI_CONCURRENCY", 1 if AI_DESCRIBER == "local" else 8, low=1, high=64)
# Over all workers; 0: as many as the server takes.
AI_REQUESTS_PER_MINUTE = env.integer("AI_REQUESTS_PER_MINUTE", 0, low=0, high=100_000)

# --- Runs and processes ------------------------------------------------------------------------------------
CLAIM_SECONDS = env.integer("CLAIM_SECONDS", 120, low=1, high=3600)
HEARTBEAT_SECONDS = env.integer("HEARTBEAT_SECONDS", 15, low=1, high=600)
WORKERS = env.integer("WORKERS", 2, low=1, high=64)
# What cron starts by itself; 0: never.
SYNC_INCREMENTAL_MINUTES = env.integer("SYNC_INCREMENTAL_MINUTES", 60, low=0, high=525_600)
SYNC_VERIFY_DAYS = env.integer("SYNC_VERIFY_DAYS", 7, low=0, high=3_650)
# How many syncs one person may start within an hour; 0: as many as they like.
SYNC_STARTS_PER_HOUR = env.integer("SYNC_STARTS_PER_HOUR", 60, low=0, high=10_000)

# --- People ------------------------------------------------------------------------------------------------
LOGIN_URL = "login"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # one may hold a first password
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# --- The browser -------------------------------------------------------------------------------------------
HTTPS = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked from behind the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0  # a year
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = False  # that would let anybody commit the whole domain, for longer than a year
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # asks for it
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Cookies know no ports: a second checkout on this machine must not sign the first one out.
SESSION_COOKIE_NAME = f"targetvision_session_{PORT}"
CSRF_COOKIE_NAME = f"targetvision_csrf_{PORT}"
CSRF_FAILURE_VIEW = "targetvision.unsent.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        # The connect form ends, by redirect, at SmugMug; browsers hold redirects of forms to this list.
        "form-action": [SELF, "{0.scheme}://{0.netloc}".format(urlsplit(SMUGMUG_OAUTH_URL))],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# In development the files are served from static/ itself, with no collectstatic before each start.
WHITENOISE_USE_FINDERS = DEBUG

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

LOG_FORMAT = env.choice("LOG_FORMAT", "text", logs.FORMATS)
LOGGING = logs.config(LOG_FORMAT, debug=DEBUG)
