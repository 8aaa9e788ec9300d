"""Ids equal the reference's whatever the text, batch or thread; control tokens never come from text."""

import base64
import json
import re
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiktoken_ext.openai_public
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from curate.errors import PlanError
from curate.models.tokenizers import load_tokenizer
from curate.models.tokenizers import rank_file as rank_file_module
from curate.models.tokenizers import tokenizer as tokenizer_module
from curate.models.tokenizers.backends import FastokensBackend
from curate.models.tokenizers.probes import probe_texts
from curate.stages.contract import Encoder
from curate.stages.tokenize import Tokenize, TokenizeSettings
from thorough import settings

CORPORA = Path(__file__).resolve().parents[1] / ".." / "shared" / "corpora"
CONTROL_TEXT = "<|endoftext|> a<|endoftext|>b </s> <tool_call> <|fim_prefix|>"
TRAINING = [
    "the quick brown fox  jumps over the lazy dog, isn't it? 123 456",
    "Größe naïve 日本語 def f(x):\n    return",
] * 8
character = st.characters(codec="utf-8") | st.sampled_from([*" \n\t'\u00a0\u0301\u200d0aA日😀", "<|endoftext|>", "  "])
text = st.lists(character, max_size=60).map("".join)


def large(texts):
    return pa.array(texts, pa.large_string())


def real_texts():
    """Sentences in 75 languages and broken text, some 60 KB; probes alone where the corpora are absent."""
    texts = list(probe_texts().to_pylist())
    if CORPORA.is_dir():
        texts += pq.read_table(CORPORA / "langid/lingua_sentences.parquet", columns=["text"])["text"].to_pylist()[::75]
        texts += pq.read_table(CORPORA / "prose/eltec_chapters.parquet", columns=["text"])["text"].to_pylist()[:4]
    return large(texts)


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    """A byte-level BPE tokenizer.json with everything that must not act on a corpus."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, initial_alphabet=sorted(alphabet), show_progress=False)
    tokenizer.train_from_iterator(TRAINING, trainer)
    tokenizer.add_special_tokens(["<pad>", "<|endoftext|>"])
    tokenizer.add_tokens([tokenizers.AddedToken("<tool_call>", special=False)])
    tokenizer.add_tokens([tokenizers.AddedToken("      ", special=False, normalized=False)])
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", tokenizer.token_to_id("<|endoftext|>"))]
    )
    path = tmp_path_factory.mktemp("byte_level") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def word_piece(tmp_path_factory):
    """A tokenizer.json that fastokens does not support."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=["[UNK]", "[SEP]", "[CLS]"], show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING, trainer)
    path = tmp_path_factory.mktemp("word_piece") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def unigram(tmp_path_factory):
    """A tokenizer.json whose model would match the spelling of its end mark as a piece."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.decoder = tokenizers.decoders.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([*TRAINING, "< / s >"], trainer)
    path = tmp_path_factory.mktemp("unigram") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(params=["cl100k_base", "bytes", "byte_level", "word_piece", "unigram"])
def any_tokenizer(request):
    built_in = request.param in {"cl100k_base", "bytes"}
    return load_tokenizer(request.param if built_in else str(request.getfixturevalue(request.param)))


def test_published_encodings_are_tiktokens_own():
    for name, ours in rank_file_module.ENCODINGS.items():
        constructor = getattr(tiktoken_ext.openai_public, name)
        no_download = {
            **constructor.__globals__,
            "load_tiktoken_bpe": lambda url, expected_hash: expected_hash,
        }
        theirs = types.FunctionType(constructor.__code__, no_download)()
        assert (ours.sha256, ours.pattern) == (theirs["mergeable_ranks"], theirs["pat_str"])
        assert ours.control_tokens == theirs["special_tokens"]


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_fast_ids_equal_tiktoken_on_real_text(name):
    fast, reference = load_tokenizer(name), load_tokenizer(name, backend="tiktoken")
    assert (fast.backend, reference.backend, fast.notes) == ("fastokens", "tiktoken", ())
    assert fast.encode(real_texts()).equals(reference.encode(real_texts()))
    assert fast.fingerprint == reference.fingerprint


def test_fast_ids_equal_hugging_face_on_real_text(byte_level):
    fast, reference = (load_tokenizer(str(byte_level), backend=b) for b in ("fastokens", "huggingface"))
    assert (fast.backend, reference.backend) == ("fastokens", "huggingface")
    assert fast.encode(real_texts()).equals(reference.encode(real_texts()))
    assert fast.fingerprint == reference.fingerprint


@settings(max_examples=300, deadline=None)
@given(st.lists(text, max_size=4))
@example(["\r\n \u00a0 x" * 50, " " * 2000, "a" * 4000, "\u0301" * 100, "<|endoftext|>"])
def test_fuzzed_text_encodes_as_tiktoken_does_and_decodes_to_itself(texts):
    fast, reference = load_tokenizer("cl100k_base"), load_tokenizer("cl100k_base", backend="tiktoken")
    encoded = fast.encode(large(texts))
    assert encoded.type == pa.large_list(pa.uint32())
    assert encoded.equals(reference.encode(large(texts)))
    assert [fast.decode(ids.values.to_numpy()) for ids in encoded] == texts


@given(st.lists(text, max_size=4))
def test_bytes_are_utf8_and_an_end_mark(texts):
    tokenizer = load_tokenizer("bytes")
    encoded = tokenizer.encode(large(["x", *texts])[1:])
    assert encoded.to_pylist() == [[*each.encode(), 256] for each in texts]
    assert [tokenizer.decode(np.array(ids)) for ids in encoded.to_pylist()] == texts


def test_the_end_mark_ends_each_document_and_never_comes_from_text(any_tokenizer):
    encoded = any_tokenizer.encode(large([CONTROL_TEXT, "", "plain", any_tokenizer.end_of_document])).to_pylist()
    end = any_tokenizer.end_of_document_id
    assert [ids.index(end) for ids in encoded] == [len(ids) - 1 for ids in encoded]
    assert max(max(ids) for ids in encoded) < any_tokenizer.vocabulary_size


def test_ids_do_not_depend_on_the_batch_or_the_thread(any_tokenizer):
    texts = real_texts()[:150]
    whole = any_tokenizer.encode(texts)
    pieces = [texts[start : start + 7] for start in range(0, len(texts), 7)]
    with ThreadPoolExecutor(4) as threads:
        encoded = list(threads.map(any_tokenizer.encode, pieces))
    assert pa.concat_arrays(encoded).equals(whole)


def test_json_control_tokens_stay_text_but_white_space_tokens_work(byte_level):
    tokenizer = load_tokenizer(str(byte_level))
    added = {token["content"]: token["id"] for token in json.loads(byte_level.read_bytes())["added_tokens"]}
    long_text = "the lazy dog <tool_call> <pad> " * 20 + "x      y"
    (ids,) = tokenizer.encode(large([long_text])).to_pylist()
    assert tokenizer.decode(np.array(ids)) == long_text  # neither truncated nor padded
    assert added["      "] in ids
    assert added["<tool_call>"] not in ids
    assert added["<pad>"] not in ids
    assert ids.count(added["<|endoftext|>"]) == 1
    assert tokenizer.vocabulary_size == max(added.values()) + 1


def test_a_rank_file_is_the_vocabulary_it_came_from(tmp_path):
    content = rank_file_module.packaged_vocabulary("cl100k_base")._content
    (tmp_path / "mine.tiktoken").write_bytes(content)
    (tmp_path / "cut.tiktoken").write_bytes(b"".join(content.splitlines(keepends=True)[:1000]))
    packaged, copied = load_tokenizer("cl100k_base"), load_tokenizer(str(tmp_path / "mine.tiktoken"))
    assert copied.fingerprint == packaged.fingerprint
    with pytest.raises(PlanError, match="split pattern is not known"):
        load_tokenizer(str(tmp_path / "cut.tiktoken"))
    shortened = load_tokenizer(str(tmp_path / "cut.tiktoken"), pattern="r50k_base")
    assert (shortened.end_of_document_id, shortened.vocabulary_size) == (1000, 1001)
    assert shortened.encode(large(["hello 42"])).equals(
        load_tokenizer(str(tmp_path / "cut.tiktoken"), pattern="r50k_base", backend="tiktoken").encode(
            large(["hello 42"])
        )
    )


def rank_lines(first=0):
    """A rank file of bytes, from a given one on."""
    return [f"{base64.b64encode(bytes([byte])).decode()} {byte}" for byte in range(first, 256)]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([*rank_lines(), "YWI= 65"], "lines 66 and 257 have the same rank"),
        ([*rank_lines(), "QQ== 300"], "lines 66 and 257 have the same token"),
        (rank_lines(65), "65 of the 256 bytes have no token, such as 0x00"),
        ([*rank_lines(), "YWI= -1"], "line 257 is 'YWI= -1'"),
        ([*rank_lines(), "YWI= 99999999999"], "line 257 is 'YWI= 99999999999'"),
        ([*rank_lines(), "YWI=256"], "line 257 is 'YWI=256'"),
        ([*rank_lines(), "YW 256"], "line 257 is 'YW 256'"),
        (["", " "], "it has no lines"),
    ],
)
def test_damaged_rank_files_are_named_with_the_line(tmp_path, lines, why):
    (tmp_path / "ranks.tiktoken").write_text("\n".join(lines) + "\n")
    with pytest.raises(PlanError, match=re.escape(why)):
        load_tokenizer(str(tmp_path / "ranks.tiktoken"), pattern="r50k_base")


def test_rank_files_may_have_gaps(tmp_path):
    (tmp_path / "ranks.tiktoken").write_text("\n".join([*rank_lines(), "YWI= 300"]))
    tokenizer = load_tokenizer(str(tmp_path / "ranks.tiktoken"), pattern="r50k_base")
    assert tokenizer.encode(large(["abc"])).to_pylist() == [[300, 99, 301]]


@pytest.mark.parametrize(("pattern", "lost"), [(r"\w+", "'\\x00'"), (r"\w+|.", "'\\n'"), (r"\w+|\s+|[!-~]", "'\\x00'")])
def test_a_pattern_that_drops_text_is_refused_with_one_that_does_not(tmp_path, pattern, lost):
    (tmp_path / "ranks.tiktoken").write_text("\n".join(rank_lines()))
    path = str(tmp_path / "ranks.tiktoken")
    with pytest.raises(PlanError, match="does not match") as raised:
        load_tokenizer(path, pattern=pattern).prepare()
    assert f"does not match {lost}" in raised.value.message
    better = raised.value.hint.removeprefix("--set 'tokenize.pattern=").removesuffix("'")
    tokenizer = load_tokenizer(path, pattern=better)
    text = "a b, c\n\x00 日本"
    assert tokenizer.decode(tokenizer.encode(large([text])).values.to_numpy()) == text


@pytest.mark.parametrize("pattern", ["(", "x*"])
def test_a_pattern_that_is_none_is_refused(tmp_path, pattern):
    (tmp_path / "ranks.tiktoken").write_text("\n".join(rank_lines()))
    with pytest.raises(PlanError, match=r"cannot (read|encode)"):
        load_tokenizer(str(tmp_path / "ranks.tiktoken"), pattern=pattern).prepare()


def test_a_backend_that_disagrees_is_dropped_and_the_user_is_told(monkeypatch):
    tokenizer_module._load.cache_clear()
    right = FastokensBackend.__call__

    def wrong_on_white_space(self, texts):
        found = right(self, texts)
        return found._replace(ids=found.ids + (found.ids == 220))

    monkeypatch.setattr(FastokensBackend, "__call__", wrong_on_white_space)
    (note,) = Tokenize().warnings()
    assert note.startswith("fastokens and tiktoken encode ' ' differently with `cl100k_base`; the slower tiktoken")
    assert load_tokenizer("cl100k_base").backend == "tiktoken"
    assert load_tokenizer("cl100k_base", backend="fastokens").notes[0].endswith("as `tokenize.backend` says.")
    tokenizer_module._load.cache_clear()


def test_what_fastokens_cannot_read_is_encoded_by_hugging_face(word_piece):
    tokenizer = load_tokenizer(str(word_piece))
    assert tokenizer.backend == "huggingface"
    assert "its vocabulary does not spell every text" in tokenizer.notes[0]
    assert tokenizer.end_of_document == "[SEP]"
    with pytest.raises(PlanError, match="`fastokens` cannot read"):
        load_tokenizer(str(word_piece), backend="fastokens").prepare()


def test_a_changed_packaged_vocabulary_is_refused(monkeypatch):
    other = rank_file_module.ENCODINGS["cl100k_base"]._replace(sha256="0" * 64)
    monkeypatch.setitem(rank_file_module.ENCODINGS, "cl100k_base", other)
    with pytest.raises(PlanError, match="not the published one"):
        rank_file_module.packaged_vocabulary("cl100k_base")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cl100k"}, "`tokenize.tokenizer` = `cl100k` is neither a built-in tokenizer nor a file"),
        ({"name": __file__}, "must end in `.json`, `.model` or `.tiktoken`"),
        ({"name": "cl100k_base", "backend": "huggingface"}, "`huggingface` cannot read `cl100k_base`"),
        (
            {"name": "cl100k_base", "end_of_document": "</s>"},
            "`</s>` is not a control token .* known: `<|endofprompt|>`",
        ),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(PlanError, match=message.replace("|", r"\|")):
        load_tokenizer(**arguments)


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", "{}"), ("b.json", "[]"), ("c.json", "{"), ("d.tiktoken", "a b c")]
)
def test_files_that_are_no_tokenizer_are_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(PlanError, match=f"`{name}` is not a"):
        load_tokenizer(str(tmp_path / name), pattern="r50k_base")


def test_an_end_mark_that_cannot_be_guessed_lists_the_candidates(byte_level, tmp_path):
    document = json.loads(byte_level.read_bytes())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] != "<|endoftext|>"]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document))
    with pytest.raises(PlanError, match=r"cannot be guessed; its control tokens: `<pad>`, `<tool_call>`"):
        load_tokenizer(str(path))
    assert load_tokenizer(str(path), end_of_document="<pad>").end_of_document == "<pad>"


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"`tokenize.tokenizer` must not be empty, but is `''`"):
        TokenizeSettings(tokenizer="")


def test_the_stage_keeps_the_contract():
    stage = Tokenize(TokenizeSettings(tokenizer="bytes"))
    assert isinstance(stage, Encoder)
    batch = pa.record_batch({"text": large(["skipped", "ab", ""])}).slice(1)
    measures = stage.measure(batch)
    assert measures.schema == pa.schema(list(stage.adds.items()))
    assert measures.to_pylist() == [
        {"n_tokens": 3, "characters": 2, "unknown": 0, "shard": None, "offset": None},
        {"n_tokens": 1, "characters": 0, "unknown": 0, "shard": None, "offset": None},
    ]
    assert stage.judge(measures).to_pylist() == [[], []]


def test_fingerprints_are_stable_between_versions():
    assert load_tokenizer("cl100k_base").fingerprint.startswith("287dc5e6e28a10ee")
    assert len({load_tokenizer(name).fingerprint for name in ("cl100k_base", "o200k_base", "bytes")}) == 3


@pytest.mark.slow
@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")
@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_fast_ids_equal_tiktoken_on_a_whole_corpus(name):
    fast, reference = load_tokenizer(name), load_tokenizer(name, backend="tiktoken")
    for file in ("langid/lingua_sentences", "langid/react_dev", "langid/tldr"):
        texts = (
            pq.read_table(CORPORA / f"{file}.parquet", columns=["text"])["text"]
            .combine_chunks()
            .cast(pa.large_string())
        )
        assert fast.encode(texts).equals(reference.encode(texts))


@given(st.lists(text, max_size=9))
def test_little_text_has_the_same_ids(texts):
    little, whole = (load_tokenizer("cl100k_base", little=wanted) for wanted in (True, False))
    assert little.encode(large(texts)).equals(whole.encode(large(texts)))


@pytest.mark.parametrize("texts", [["a "] * 3, ["b" * 200_000], ["c d " * 30_000] * 80], ids=["little", "long", "much"])
def test_a_fast_backend_is_loaded_where_it_is_worth_it(texts):
    vocabulary = tokenizer_module.packaged_vocabulary("cl100k_base")
    tokenizer = tokenizer_module.Tokenizer("cl100k_base", vocabulary, "auto", little=True)
    assert (tokenizer.backend, tokenizer.notes) == ("tiktoken", ())
    ids = tokenizer.encode(large(texts))
    assert tokenizer.backend == ("tiktoken" if len(texts) == 3 else "fastokens")
    assert ids[0].as_py() == load_tokenizer("cl100k_base", backend="tiktoken").encode(large(texts[:1]))[0].as_py()
