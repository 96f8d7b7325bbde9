"""Addresses of the mirror."""

from django.urls import path

from smugmug import views

app_name = "smugmug"
urlpatterns = [
    path("smugmug/connect", views.connect, name="connect"),
    path("smugmug/callback", views.callback, name="callback"),
    path("smugmug/verify", views.verify, name="verify"),
    path("smugmug/<str:nickname>/sync", views.start_sync, name="sync"),
    path("smugmug/runs/<uuid:pk>/", views.sync_run, name="sync_run"),
    path("smugmug/runs/<uuid:pk>/cancel", views.cancel_sync, name="cancel_sync"),
    path("images/<str:token>", views.image, name="image"),
]
