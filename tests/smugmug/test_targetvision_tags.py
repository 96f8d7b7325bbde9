"""What templates say about time."""

from __future__ import annotations

import datetime

import pytest
from django.utils import timezone

from smugmug.templatetags.targetvision_tags import ago, duration


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (datetime.timedelta(seconds=-5), "just now"),
        (datetime.timedelta(seconds=59), "just now"),
        (datetime.timedelta(seconds=61), "1\u00a0minute ago"),
        (datetime.timedelta(hours=3, minutes=20), "3\u00a0hours ago"),
        (datetime.timedelta(days=40), "1\u00a0month ago"),
    ],
)
def test_tell_how_long_ago_names_the_largest_unit_alone(passed: datetime.timedelta, said: str) -> None:
    assert ago(timezone.now() - passed) == said


@pytest.mark.parametrize(("seconds", "said"), [(None, ""), (5.6, "6 s"), (240, "4 min"), (4800, "1 h 20 min")])
def test_tell_a_duration_uses_the_unit_a_person_would(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said
