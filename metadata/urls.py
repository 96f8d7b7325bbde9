"""Addresses of photos and their words."""

from django.urls import path

from metadata.views import activity, estimate, ledger, library, notes, prompts, review, runs

app_name = "metadata"
urlpatterns = [
    path("albums/", library.albums, name="albums"),
    path("albums/<uuid:pk>/", library.album, name="album"),
    path("albums/<uuid:pk>/process", runs.process_album, name="process_album"),
    path("albums/<uuid:pk>/note", notes.album_note, name="album_note"),
    path("photos/<uuid:pk>/", library.photo, name="photo"),
    path("settings/<str:nickname>/note", notes.account_note, name="account_note"),
    path("settings/<str:nickname>/prompts/", prompts.prompts_page, name="prompts"),
    path("settings/<str:nickname>/prompts/<int:pk>/", prompts.prompt, name="prompt"),
    path("settings/<str:nickname>/prompts/<int:pk>/edit", prompts.edit_prompt, name="edit_prompt"),
    path("settings/<str:nickname>/prompts/<int:pk>/new", prompts.new_prompt, name="new_prompt"),
    path("settings/<str:nickname>/prompts/<int:pk>/activate", prompts.activate_prompt, name="activate_prompt"),
    path("settings/<str:nickname>/prompts/<int:pk>/preview", prompts.preview_prompt, name="preview_prompt"),
    path("activity/", activity.runs_page, name="activity"),
    path("activity/audit/", activity.trail, name="trail"),
    path("ledger/", ledger.page, name="ledger"),
    path("review/", review.review, name="review"),
    path("review/<uuid:pk>/approve", review.approve, name="approve"),
    path("review/<uuid:pk>/reject", review.reject, name="reject"),
    path("processing/<str:nickname>/start", runs.process_account, name="process"),
    path("processing/<str:nickname>/estimate", estimate.page, name="estimate"),
    path("processing/<uuid:pk>/", runs.processing_run, name="processing_run"),
    path("processing/<uuid:pk>/budget", runs.budget, name="budget"),
    path("processing/<uuid:pk>/pause", runs.pause_processing, name="pause_processing"),
    path("processing/<uuid:pk>/cancel", runs.cancel_processing, name="cancel_processing"),
    path("processing/<uuid:pk>/continue", runs.continue_processing, name="continue_processing"),
]
