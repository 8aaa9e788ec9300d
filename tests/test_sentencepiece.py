"""Models of SentencePiece and folders of models as tokenizers: ids are the reference's, and nothing is lost unsaid."""

import base64
import contextlib
import io
import json
import random

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from curate.errors import PlanError
from curate.models.tokenizers import load_tokenizer
from curate.models.tokenizers.sentencepiece_proto import read_proto
from curate.shards.verify import verify
from small_run import run
from thorough import settings
from tokenizer_maker import byte_level

KINDS = {
    "llama": {
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
    },
    "words": {
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "user_defined_symbols": ["<tool>"],
    },
    "unigram": {"model_type": "unigram"},
    "suffix": {
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "treat_whitespace_as_suffix": True,
    },
}


def _tied(pieces):
    for piece in pieces:
        piece.score = 0


def _unused(pieces):
    for piece in pieces[::5]:
        piece.type = 5


def _lettered(pieces):
    pieces[0].piece, pieces[1].piece = "日本", "日本x"  # letters without a piece of their own


EDITED = {"tied": _tied, "unused": _unused, "lettered": _lettered}
"""What makers do to a trained BPE: pieces of equal scores (as where a vocabulary was extended) or switched off, and
pieces of letters that have none."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder, dice = tmp_path_factory.mktemp("sentencepiece"), random.Random(1)
    words = ["größer", "Haus", "the", "quick", "brown", "fox", "don't", "2024", "  ", "naïve", "<0x123456789ABCDEF>"]
    lines = [" ".join(dice.choices(words, k=12)) for _ in range(400)]
    for name, options in KINDS.items():
        model = io.BytesIO()
        size = 330 if options.get("byte_fallback") else 52
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, vocab_size=size, minloglevel=2, **options
        )
        (folder / f"{name}.model").write_bytes(model.getvalue())
    for name, edit in EDITED.items():
        proto = sentencepiece_model_pb2.ModelProto.FromString((folder / "llama.model").read_bytes())
        edit([piece for piece in proto.pieces if piece.type == 1 and len(piece.piece) > 1])
        (folder / f"{name}.model").write_bytes(proto.SerializeToString())
    return folder


def test_the_fast_engine_encodes_where_it_is_proven_equal(models):
    assert load_tokenizer(str(models / "llama.model")).backend == "fastokens"
    assert load_tokenizer(str(models / "unigram.model")).backend == "sentencepiece"
    for name in ("suffix", *EDITED):
        assert load_tokenizer(str(models / f"{name}.model")).backend == "sentencepiece"
    words = load_tokenizer(str(models / "words.model"))
    assert words.backend == "sentencepiece" or not words.notes


@pytest.mark.parametrize("name", [*KINDS, *EDITED])
@settings(deadline=None, max_examples=40)
@given(text=st.text(st.sampled_from("größer Haus the<tool> </s>\n\t日本x🦊"), max_size=40))
def test_ids_are_those_of_the_reference(models, name, text):
    tokenizer = load_tokenizer(str(models / f"{name}.model"))
    reference = sentencepiece.SentencePieceProcessor(model_file=str(models / f"{name}.model"))
    lists, unknown = tokenizer.encode_counting(pa.array([text], pa.large_string()))
    ids = lists.to_pylist()[0]
    assert ids == [*reference.encode(text), reference.eos_id()]
    assert tokenizer.decode(np.array(ids)) == reference.decode(ids[:-1])
    assert unknown.to_pylist() == [len(tokenizer.unknown_places(text))]
    if name == "llama":
        assert tokenizer.decode(np.array(ids)) == text


def test_what_it_does_to_text_is_said(models):
    tokenizer = load_tokenizer(str(models / "unigram.model"))
    notes = " ".join(tokenizer.notes)
    assert "`nmt_nfkc`" in notes
    assert "merges several spaces into one" in notes
    assert "does not know all letters of" in notes
    assert tokenizer.unknown_places("the 日本") == [4, 5]


def test_a_run_carries_the_model_and_verifies(models, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("größer Haus\n\nthe quick brown fox 日本 " * 20)
    name = f"tokenize.tokenizer={models / 'llama.model'}"
    assert run(corpus, tmp_path / "out", name, "shards.format=bin", skip=["quality", "near_dup"]) == 0
    report = verify(tmp_path / "out/shards", every=True)
    assert (report.problems, report.compared, report.rewritten) == ([], 1, 0)
    assert (tmp_path / "out/shards/tokenizer.model").is_file()


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"\x0a\xff\xff", b"tokens", b"\x12\x02\x18\x07"])
def test_other_files_are_the_users_mistake(tmp_path, content):
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(PlanError, match="no model of SentencePiece|not a model of SentencePiece"):
        load_tokenizer(str(tmp_path / "tokenizer.model"))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_model_or_a_value_error(content):
    with contextlib.suppress(ValueError):
        read_proto(content)


def test_folders_of_models(models, tmp_path):
    with pytest.raises(PlanError, match="has no tokenizer"):
        load_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.model").write_bytes((models / "llama.model").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    assert load_tokenizer(str(tmp_path)).fingerprint == load_tokenizer(str(models / "llama.model")).fingerprint


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("sentencepiece.bpe.model", {}, "a class of transformers, which may give other ids"),
        ("sentencepiece.bpe.model", {"tokenizer_class": "XLMRobertaTokenizer"}, "the class `XLMRobertaTokenizer`"),
        ("spiece.model", {"tokenizer_class": "PegasusTokenizerFast"}, "the class `PegasusTokenizer`"),
        (
            "tokenizer.model",
            {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False},
            "`add_prefix_space` = false",
        ),
        ("tokenizer.model", {"do_lower_case": True}, "`do_lower_case` = true"),
        ("tokenizer.model", {"tokenizer_class": "LlamaTokenizerFast"}, ""),
        ("spiece.model", {"tokenizer_class": "T5Tokenizer", "add_prefix_space": True}, ""),
    ],
)
def test_folders_whose_class_has_other_ids_than_the_model_are_refused(models, tmp_path, name, config, message):
    (tmp_path / name).write_bytes((models / "llama.model").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    if not message:
        assert load_tokenizer(str(tmp_path)).fingerprint == load_tokenizer(str(models / "llama.model")).fingerprint
        return
    with pytest.raises(PlanError, match=message) as caught:
        load_tokenizer(str(tmp_path))
    assert f"tokenize.tokenizer={tmp_path / name} takes the file as it is" in caught.value.hint


def test_a_folder_says_how_documents_end_where_nothing_usual_does(tmp_path):
    content = byte_level().to_str().replace("<|endoftext|>", "<my_end>")
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(PlanError):
        load_tokenizer(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<my_end>"}}))
    assert load_tokenizer(str(tmp_path)).end_of_document == "<my_end>"


def test_a_model_file_that_is_a_rank_file_is_read_as_one(tmp_path):
    lines = [f"{base64.b64encode(bytes([byte])).decode()} {byte}\n" for byte in range(256)]
    (tmp_path / "tokenizer.model").write_text("".join(lines))
    tokenizer = load_tokenizer(str(tmp_path / "tokenizer.model"), pattern="cl100k_base")
    assert tokenizer.encode(pa.array(["ab"], pa.large_string())).to_pylist() == [[97, 98, 256]]
