"""What templates say: signed image addresses, durations, differences."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from smugmug import images
from targetvision import words

if TYPE_CHECKING:
    from smugmug.models import Photo

register = template.Library()


@register.simple_tag
def image(photo: Photo, size: str) -> str:
    """The address under which our own server shows the photo; `size` is thumb, large or full."""
    return images.address(photo, size)


@register.simple_tag
def jinja(name: str, **context: Any) -> SafeString:
    """The *.jinja template, which sees what it is given and nothing else. For what a page draws a hundred times."""
    return SafeString(render_to_string(name, context, using="jinja2"))


@register.simple_tag
def word_diff(old: str, new: str) -> list[words.Part]:
    return words.word_diff(old or "", new or "")


@register.filter
def duration(seconds: float | None) -> str:
    """6 s, 4 min, 1 h 20 min; nothing for None."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def ago(moment: datetime.datetime) -> str:
    """just now, 4 minutes ago, 2 days ago: the largest unit alone."""
    if timezone.now() - moment < datetime.timedelta(minutes=1):
        return "just now"
    return f"{timesince(moment, depth=1)} ago"
