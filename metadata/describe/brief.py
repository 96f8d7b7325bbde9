"""What a describer is told about one photo beside the picture."""

from __future__ import annotations

from dataclasses import dataclass

from metadata.describe.prompt import LANGUAGE, PROMPT, TAG_COUNT


@dataclass(frozen=True, slots=True)
class Brief:
    """`instructions` are the same for many photos, notes included; `facts` are what is known about this one, or "".

    Where there is a `vocabulary`, only its words become tags. At most `tag_count` tags are kept.
    """

    instructions: str
    facts: str = ""
    vocabulary: tuple[str, ...] = ()
    tag_count: int = TAG_COUNT

    @classmethod
    def default(cls) -> Brief:
        """The built-in prompt: in English, of a photo that nothing is known about, with any tags."""
        return cls(PROMPT.format(language=LANGUAGE, tag_count=TAG_COUNT))
