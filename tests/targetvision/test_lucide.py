"""{% lucide %}: the package's icons, each drawn once."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from lucide import IconDoesNotExist
from lucide.jinja import lucide as draw

from targetvision.templatetags.lucide import lucide


def rendered(tag: str, **context: object) -> str:
    return Template("{% load lucide %}" + tag).render(Context(context))


def test_draw_an_icon_is_as_the_package_draws_it_and_is_drawn_once() -> None:
    lucide.cache_clear()

    first, again = (rendered('{% lucide "check" size=18 aria_hidden="true" %}') for _ in range(2))

    assert first == again == draw("check", size=18, aria_hidden="true")
    assert (lucide.cache_info().misses, lucide.cache_info().hits) == (1, 1)


def test_draw_an_icon_otherwise_draws_it_anew() -> None:
    assert 'width="12"' in rendered('{% lucide "check" size=12 %}')
    assert 'width="24"' in rendered('{% lucide "check" %}')
    assert "&quot;" in rendered("{% lucide 'check' class=name %}", name='a"b')


def test_draw_an_icon_that_there_is_not_says_so() -> None:
    with pytest.raises(IconDoesNotExist):
        rendered('{% lucide "no-such-icon" %}')
