"""gunicorn reads this file by itself: two processes of many threads, and the same start as manage.py."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "targetvision.settings")

from targetvision import env, logs, start

start.prepare()

bind = f"{env.text('BIND', '127.0.0.1')}:{env.integer('PORT', 8000, low=1, high=65535)}"
worker_class = "gthread"
workers = 2
threads = 32  # a cold picture waits for SmugMug, and must not keep a page waiting
graceful_timeout = 3
control_socket_disable = True
logconfig_dict = logs.config(env.choice("LOG_FORMAT", "text", logs.FORMATS), debug=False)
