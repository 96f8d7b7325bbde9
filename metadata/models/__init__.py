"""What the AI said about each photo and what people made of it. Nothing here talks to the network.

AIMetadata holds what stands now; MetadataHistory every step on the way, append-only, so that the machine's words
and a person's stay distinguishable for ever.
"""

from metadata.models.decisions import Decision, Found, ReviewClaim, Sample, SampledWords, Snapshot
from metadata.models.exports import Export
from metadata.models.ledger import AICall, ModelPrice
from metadata.models.prompts import Note, Prompt
from metadata.models.publishing import Change, ChangeSet
from metadata.models.runs import ProcessingRun
from metadata.models.search import PhotoSearch
from metadata.models.words import EMBEDDING_LENGTH, WORDS, AIMetadata, MetadataHistory, PhotoEmbedding

__all__ = [
    "EMBEDDING_LENGTH",
    "WORDS",
    "AICall",
    "AIMetadata",
    "Change",
    "ChangeSet",
    "Decision",
    "Export",
    "Found",
    "MetadataHistory",
    "ModelPrice",
    "Note",
    "PhotoEmbedding",
    "PhotoSearch",
    "ProcessingRun",
    "Prompt",
    "ReviewClaim",
    "Sample",
    "SampledWords",
    "Snapshot",
]
