"""Text to token ids and back, offline, through whichever library is fastest and still exact.

A *vocabulary* (what the ids mean) is kept apart from the *backend* (the library that encodes with it): the
fast backend is compared with the reference one on a fixed set of probe texts, and dropped when they disagree.
The fingerprint of a tokenizer covers the vocabulary alone, so shards do not depend on which backend wrote
them.

::

    load_tokenizer(name) ── vocabulary ── BytesVocabulary          ids 0 to 255
                         │               ├ RankFileVocabulary      a rank file and a split pattern
                         │               ├ JsonVocabulary          a Hugging Face tokenizer.json
                         │               └ SentencePieceVocabulary a SentencePiece .model
                         └─ backend ──── fastokens, checked against tiktoken, huggingface or sentencepiece

Bytes and rank files spell every text. A ``tokenizer.json`` may not: what it does not know is counted (`huggingface`).
"""

from curate.models.tokenizers.added_tokens import AddedTokens
from curate.models.tokenizers.tokenizer import BACKENDS, LITTLE, Tokenizer, load_tokenizer

__all__ = ["BACKENDS", "LITTLE", "AddedTokens", "Tokenizer", "load_tokenizer"]
