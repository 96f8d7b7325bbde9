"""Every address of the project."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from metadata.views.dashboard import dashboard
from targetvision.api import api
from targetvision.health import healthz, readyz
from targetvision.token_views import revoke_token, token_list
from targetvision.views import PasswordView, SlowedLoginView, first_run, set_theme

admin.site.site_header = admin.site.site_title = "TargetVision"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("", dashboard, name="dashboard"),
    path("sign-in/", SlowedLoginView.as_view(), name="login"),
    path("first-run/", first_run, name="first_run"),
    path("theme/", set_theme, name="theme"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("password/", PasswordView.as_view(), name="password_change"),
    path("password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("settings/tokens/", token_list, name="tokens"),
    path("settings/tokens/<uuid:pk>/revoke", revoke_token, name="revoke_token"),
    path("", include("smugmug.urls")),
    path("", include("metadata.urls")),
    path("api/", api.urls),
    path("admin/login/", SlowedLoginView.as_view()),
    path("admin/", admin.site.urls),
]
