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
    path("smugmug/runs/<uuid:pk>/continue", views.continue_sync, name="continue_sync"),
    path("smugmug/runs/<uuid:pk>/retry", views.retry_sync, name="retry_sync"),
    path("smugmug/albums/<uuid:pk>/sync", views.sync_album, name="sync_album"),
    path("smugmug/albums/<uuid:pk>/never-send", views.never_send_album, name="never_send_album"),
    path("settings/", account_views.settings, name="settings"),
    path("settings/<str:nickname>/members", account_views.add_member, name="add_member"),
    path("settings/<str:nickname>/members/<int:pk>/role", account_views.change_role, name="change_role"),
    path("settings/<str:nickname>/members/<int:pk>/remove", account_views.remove_member, name="remove_member"),
    path("settings/<str:nickname>/never-send", account_views.never_send, name="never_send"),
    path("settings/<str:nickname>/disconnect", account_views.disconnect, name="disconnect"),
    path("images/<str:token>", views.image, name="image"),
]
