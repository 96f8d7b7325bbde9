"""gunicorn reads this file by itself: two processes of many threads, and the same start as manage.py."""

import gc
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "targetvision.settings")

from django.conf import settings

from targetvision import logs, start

start.prepare()

# The first look at the settings: a wrong one ends here, with its sentence, and not in each worker that would not start.
bind = f"{settings.BIND}:{settings.PORT}"
worker_class = "gthread"
workers = 2
preload_app = True  # once for both, which start sooner
threads = 32  # a cold picture waits for SmugMug, and must not keep a page waiting
graceful_timeout = 3
control_socket_disable = True
logconfig_dict = logs.config(settings.LOG_FORMAT, debug=False)


def when_ready(_: Any) -> None:
    """What is loaded stays, and stays shared: the workers' garbage collectors need not touch it."""
    gc.collect()
    gc.freeze()
