"""{% lucide %}: the icons of the package of that name, whose own tag draws an icon anew at every place it stands.

That was a sixth of a page of the gallery. The package is no app here, so that there is one tag of the name.
"""

from __future__ import annotations

import functools

from django import template
from lucide.jinja import lucide as draw

register = template.Library()


@register.simple_tag
@functools.lru_cache(maxsize=1_000)
def lucide(name: str, *, size: int = 24, **attributes: str) -> str:
    """The icon as SVG, safe for a page; IconDoesNotExist where there is none of that name."""
    return draw(name, size=size, **attributes)
