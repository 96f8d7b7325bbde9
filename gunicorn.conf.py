"""gunicorn reads this file by itself: threads in one process, and the same start as manage.py."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "targetvision.settings")

from targetvision import env, start

start.prepare()

bind = f"{env.text('BIND', '127.0.0.1')}:{env.integer('PORT', 8000, low=1, high=65535)}"
worker_class = "gthread"
workers = 1
threads = 8
graceful_timeout = 3
control_socket_disable = True
