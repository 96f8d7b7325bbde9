"""What the AI said about each photo and what people made of it. Nothing here talks to the network.

AIMetadata holds what stands now; MetadataHistory every step on the way, append-only, so that the machine's words
and a person's stay distinguishable for ever.
"""

from metadata.models.decisions import Decision, ReviewClaim, Sample, SampledWords
from metadata.models.ledger import AICall, ModelPrice
from metadata.models.prompts import Note, Prompt
from metadata.models.runs import ProcessingRun
from metadata.models.words import EMBEDDING_LENGTH, WORDS, AIMetadata, MetadataHistory, PhotoEmbedding

__all__ = [
    "EMBEDDING_LENGTH",
    "WORDS",
    "AICall",
    "AIMetadata",
    "Decision",
    "MetadataHistory",
    "ModelPrice",
    "Note",
    "PhotoEmbedding",
    "ProcessingRun",
    "Prompt",
    "ReviewClaim",
    "Sample",
    "SampledWords",
]
