"""The mark that begins documents is what was asked for, or what the tokenizer's own post-processor puts there."""

import json

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import processors

from curate.errors import PlanError
from curate.models.tokenizers import load_tokenizer
from tokenizer_maker import byte_level

TEXTS = ["Hello NASA", "", "the text <|endoftext|> and <s> stay text", "größer"]


def saved(path, *, before="<s>"):
    tokenizer = byte_level()
    tokenizer.add_special_tokens(["<s>"])
    if before:
        marks = [(token, tokenizer.token_to_id(token)) for token in sorted({*before.split(), "<|endoftext|>"})]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{before} $A <|endoftext|>", special_tokens=marks
        )
    tokenizer.save(str(path))
    return tokenizer


def lists(tokenizer):
    return tokenizer.encode(pa.array(TEXTS, pa.large_string())).to_pylist()


@pytest.mark.parametrize("wanted", ["auto", "<s>"])
def test_documents_begin_as_the_post_processor_has_it(tmp_path, wanted):
    own = saved(tmp_path / "tokenizer.json")
    tokenizer = load_tokenizer(str(tmp_path / "tokenizer.json"), begin_of_document=wanted)
    plain = load_tokenizer(str(tmp_path / "tokenizer.json"))
    begin = own.token_to_id("<s>")
    assert (tokenizer.begin_of_document, tokenizer.begin_of_document_id) == ("<s>", begin)
    assert lists(tokenizer) == [[begin, *ids] for ids in lists(plain)]
    assert lists(tokenizer)[0] == own.encode(TEXTS[0]).ids
    assert [tokenizer.decode(np.array(ids)) for ids in lists(tokenizer)] == TEXTS
    assert tokenizer.fingerprint != plain.fingerprint
    assert tokenizer.notes == ()
    assert any("puts `<s>` before each text" in note for note in plain.notes)


def test_without_a_post_processor_auto_is_none(tmp_path):
    saved(tmp_path / "tokenizer.json", before="")
    assert load_tokenizer(str(tmp_path / "tokenizer.json"), begin_of_document="auto").begin_of_document is None
    assert load_tokenizer("cl100k_base", begin_of_document="auto").begin_of_document_id is None


def test_what_cannot_begin_a_document_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    saved(path, before="<s> <s>")
    with pytest.raises(PlanError, match="can begin with one control token"):
        load_tokenizer(str(path), begin_of_document="auto")
    with pytest.raises(PlanError, match="`the` is not a control token"):
        load_tokenizer(str(path), begin_of_document="the")
    json.loads(path.read_text())


def test_the_same_token_may_begin_and_end():
    tokenizer = load_tokenizer("bytes", begin_of_document="<|endoftext|>")
    assert tokenizer.encode(pa.array(["ab", ""], pa.large_string())).to_pylist() == [[256, 97, 98, 256], [256, 256]]
