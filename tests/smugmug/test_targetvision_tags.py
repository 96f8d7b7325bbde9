"""What templates say about time, and the parts that are drawn by the other engine."""

from __future__ import annotations

import datetime

import pytest
from django.template import engines
from django.utils import timezone
from jinja2 import UndefinedError

from smugmug.templatetags.targetvision_tags import ago, duration, jinja


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


def test_jinja_escapes_what_it_is_given_and_is_not_escaped_again() -> None:
    found = jinja(
        "metadata/_tally.jinja", tally=[("<b>", 3)], total=4, url="/t", complete_url="/c", chosen="<b>", typed='"'
    )

    assert '<li data-tag="&lt;b&gt;"><span>&lt;b&gt;</span><small data-count>3 of 4</small>' in found
    assert '<option value="&lt;b&gt;" data-tag selected>&lt;b&gt;</option>' in found
    assert engines["django"].from_string("{{ found }}").render({"found": found}) == found


def test_jinja_without_something_that_the_template_names_is_refused() -> None:
    with pytest.raises(UndefinedError, match="total"):
        jinja("metadata/_tally.jinja", tally=[("cat", 3)], url="/t", complete_url="/c", chosen="", typed="")
