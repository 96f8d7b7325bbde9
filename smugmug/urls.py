"""Addresses of the mirror."""

from django.urls import path

from smugmug import account_views, views

app_name = "smugmug"
urlpatterns = [
    path("smugmug/connect", views.connect, name="connect"),
    path("smugmug/callback", views.callback, name="callback"),
    path("smugmug/verify", views.verify, name="verify"),
    path("smugmug/<str:nickname>/sync", views.start_sync, name="sync"),
    path("smugmug/runs/<uuid:pk>/", views.sync_run, name="sync_run"),
    path("smugmug/runs/<uuid:pk>/cancel", views.cancel_sync, name="cancel_sync"),
    path("settings/", account_views.settings, name="settings"),
    path("settings/<str:nickname>/members", account_views.add_member, name="add_member"),
    path("settings/<str:nickname>/members/<int:pk>/role", account_views.change_role, name="change_role"),
    path("settings/<str:nickname>/members/<int:pk>/remove", account_views.remove_member, name="remove_member"),
    path("settings/<str:nickname>/disconnect", account_views.disconnect, name="disconnect"),
    path("images/<str:token>", views.image, name="image"),
]
