"""gunicorn reads this file by itself: threads in one process, and the same start as manage.py."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "targetvision.settings")

from targetvision import start

start.prepare()

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = 1
threads = 8
graceful_timeout = 3
control_socket_disable = True
