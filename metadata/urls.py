"""Addresses of photos and their words."""

from django.urls import path

from metadata.views import library, review, runs

app_name = "metadata"
urlpatterns = [
    path("albums/", library.albums, name="albums"),
    path("albums/<uuid:pk>/", library.album, name="album"),
    path("albums/<uuid:pk>/process", runs.process_album, name="process_album"),
    path("photos/<uuid:pk>/", library.photo, name="photo"),
    path("review/", review.review, name="review"),
    path("review/<uuid:pk>/approve", review.approve, name="approve"),
    path("review/<uuid:pk>/reject", review.reject, name="reject"),
    path("processing/<str:nickname>/start", runs.process_account, name="process"),
    path("processing/<uuid:pk>/", runs.processing_run, name="processing_run"),
    path("processing/<uuid:pk>/cancel", runs.cancel_processing, name="cancel_processing"),
    path("processing/<uuid:pk>/continue", runs.continue_processing, name="continue_processing"),
]
