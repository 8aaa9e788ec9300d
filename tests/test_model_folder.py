"""A model's folder gives the ids that transformers gives for it, or is refused with the file that says otherwise."""

import json

import pyarrow as pa
import pytest
import transformers

import tokenizer_maker as maker
from chat_templates import model_folder
from curate.errors import PlanError
from curate.models.tokenizers import load_tokenizer
from curate.models.tokenizers.probes import probe_texts
from curate.stages.tokenize import Tokenize, TokenizeSettings

FAST = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
GPT_2 = {**FAST, "tokenizer_class": "GPT2Tokenizer"}
SIZE = 330


def token(content, **flags):
    off = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word", "special"), False)
    return {"content": content, **off, **flags}


def decoder(content, number=SIZE, **flags):
    return {"added_tokens_decoder": {str(number): token(content, **flags)}}


def folder_of(path, config, kind="bytes", **files):
    maker.saved(maker.made(kind), path)
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return str(path)


AGREEING = {
    "plain": FAST,
    "marks of the configuration stay text": {**FAST, **decoder("<extra>"), "additional_special_tokens": ["<more>"]},
    "special words stay text": {**FAST, **decoder("hello", special=True)},
    "its own tokens": {**FAST, **decoder("<|endoftext|>", 0, special=True)},
    "an end that it does not have": {**FAST, "eos_token": "<nope>"},
    "a class that follows the file": {**FAST, "add_prefix_space": True, "do_lower_case": True},
    "nothing is cut": {**FAST, "model_max_length": 3, "truncation_side": "left", "padding_side": "left"},
    "a class that asks for what the file has": {**GPT_2, "add_prefix_space": False},
    "a begin that no post-processor writes": {**FAST, "bos_token": "<|endoftext|>", "add_bos_token": True},
}


@pytest.mark.parametrize("name", AGREEING)
def test_ids_are_those_of_transformers(tmp_path, name):
    path = folder_of(tmp_path / "model", AGREEING[name])
    ours, theirs = load_tokenizer(path), transformers.AutoTokenizer.from_pretrained(path)
    apart = {*theirs.all_special_tokens, *theirs.get_added_vocab(), "<extra>", "<more>"}
    texts = [one for one in [*probe_texts().to_pylist(), "hello"] if not any(mark in one for mark in apart)]
    expected = [[*theirs(one, add_special_tokens=False)["input_ids"], ours.end_of_document_id] for one in texts]
    assert len(texts) > 150
    assert ours.encode(pa.array(texts, pa.large_string())).to_pylist() == expected


REFUSED = {
    "a word that the file has not": ({**FAST, **decoder("hello")}, "bytes", {}, "`hello` with the id 330"),
    "another id": ({**FAST, **decoder("hello", 400)}, "bytes", {}, "`hello` with the id 400"),
    "a word of added_tokens.json": (FAST, "bytes", {"added_tokens": {"covid-19": SIZE}}, "`covid-19` with the id 330"),
    "a blank before": ({**GPT_2, "add_prefix_space": True}, "bytes", {}, "`add_prefix_space` = true"),
    "no blank before": ({**GPT_2, "add_prefix_space": False}, "bytes, blank before", {}, "`add_prefix_space` = false"),
    "no blank before a llama": (
        {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False},
        "llama",
        {},
        "`add_prefix_space` = false",
    ),
    "capitals": (
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
        "word piece",
        {},
        "`do_lower_case` = false",
    ),
    "ids that are none": ({**FAST, "added_tokens_decoder": {"x": token("a")}}, "bytes", {}, "not texts with their ids"),
    "no object of tokens": ({**FAST, "added_tokens_decoder": [1]}, "bytes", {}, "not texts with their ids"),
    "no object": ([], "bytes", {}, "tokenizer_config.json` is not a JSON object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_contradicts_its_tokenizer_is_refused(tmp_path, name):
    config, kind, files, said = REFUSED[name]
    path = folder_of(tmp_path / "model", config, kind, **files)
    with pytest.raises(PlanError, match=said):
        load_tokenizer(path)
    assert load_tokenizer(f"{path}/tokenizer.json").end_of_document  # the file alone is taken as it is


def test_a_file_without_a_post_processor_begins_as_the_folder_says(tmp_path):
    lines = [f"{token} {rank}" for rank, token in enumerate(maker.base64_bytes())]
    settings = {"pattern": "r50k_base", "begin_of_document": "auto"}
    for adds, begin in ((True, "<|endoftext|>"), (False, None)):
        folder = tmp_path / str(adds)
        folder.mkdir()
        (folder / "qwen.tiktoken").write_text("\n".join(lines))
        config = {"bos_token": "<|endoftext|>", "add_bos_token": adds}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        assert load_tokenizer(str(folder), **settings).begin_of_document == begin


def test_conversations_say_who_encodes_them(tmp_path):
    folder = str(model_folder(tmp_path, "zephyr"))
    stage = Tokenize(TokenizeSettings(tokenizer=folder, chat_template=folder, backend="fastokens"))
    assert "conversations are encoded by huggingface" in " ".join(stage.warnings())
    reference = Tokenize(TokenizeSettings(tokenizer=folder, chat_template=folder, backend="huggingface"))
    assert "are encoded by" not in " ".join(reference.warnings())
    assert reference.chats is not stage.chats
    assert reference.chats.tokenizer.backend == "huggingface"
