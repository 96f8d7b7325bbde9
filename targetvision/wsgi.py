"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "targetvision.settings")
application = get_wsgi_application()
resolve("/healthz")  # loads all pages now, and not while the first visitor waits
