"""Whatever a ``tokenizer.json`` holds: ids are Hugging Face's, no control token comes from text, no loss is silent."""

import json
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import assume, example, given
from hypothesis import strategies as st

import tokenizer_maker as maker
from curate.errors import PlanError
from curate.models.tokenizers import load_tokenizer
from curate.models.tokenizers.probes import probe_texts
from thorough import settings

KINDS = (*maker.WHOLE, *maker.LOSSY)
CONTROL = ("</s>", "<unk>", "[UNK]", "[SEP]", "<|endoftext|>")
NO_CHARACTER = "\ufdd0?"  # what the unknown token is called where no text can become it
character = st.characters(codec="utf-8") | st.sampled_from(
    [*" \n\t.,'\u00a0\u0301\u200daAzé日😀▁Ġ#1", "the", "Hello", "  ", NO_CHARACTER]
)
text = st.lists(character, max_size=30).map("".join)


def large(texts):
    return pa.array(texts, pa.large_string())


@cache
def reference(kind):
    """Hugging Face's own, which takes control tokens in text for text."""
    tokenizer = maker.made(kind)
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")

    @cache
    def loaded(kind):
        path = maker.saved(maker.made(kind), folder / kind.replace(" ", "_"))
        unknown_ends = kind == "some bytes, unknown"
        if unknown_ends:  # its unknown token cannot end documents
            tokenizer = tokenizers.Tokenizer.from_file(str(path))
            tokenizer.add_special_tokens(["</s>"])
            tokenizer.save(str(path))
        return load_tokenizer(str(path), end_of_document="</s>" if unknown_ends else "auto")

    return loaded


def plain_ids(tokenizer, texts):
    """Ids of one text after another, without the end marks."""
    return [ids[:-1] for ids in tokenizer.encode(large(texts)).to_pylist()]


def unknown_of(tokenizer, one):
    return tokenizer.encode_counting(large([one]))[1].to_pylist()[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(texts=st.lists(text, max_size=3))
@example(texts=[NO_CHARACTER, f"the {NO_CHARACTER}", f"a{NO_CHARACTER}b"])
@example(texts=["The quick brown fox,\n\n  jumps 123", "", "naïve café 日本 🙂 \u0301", "isn't  it?  "])
def test_ids_are_those_of_hugging_face(kind, ours, texts):
    assume(not any(token in one for one in texts for token in CONTROL))
    theirs = reference(kind)
    got = plain_ids(ours(kind), texts)
    for one, ids in zip(texts, got, strict=True):
        try:
            expected = theirs.encode(one, add_special_tokens=False).ids
        except Exception:  # noqa: BLE001  (a model without an unknown token fails; ours leaves out what it does not know)
            assert unknown_of(ours(kind), one) > 0
        else:
            assert ids == expected


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_probes_are_those_of_hugging_face(kind, ours):
    texts = [one for one in probe_texts().to_pylist() if not any(token in one for token in CONTROL)]
    if "no unknown" in kind and "letters" not in kind:
        texts = [one for one in texts if not unknown_of(ours(kind), one)]
    expected = [encoding.ids for encoding in reference(kind).encode_batch(texts, add_special_tokens=False)]
    assert plain_ids(ours(kind), texts) == expected


@pytest.mark.parametrize("kind", maker.WHOLE)
@settings(max_examples=20, deadline=None)
@given(one=text)
@example(one="naïve café 日本 🙂 <unk></s> \x00\n")
@example(one=f"the {NO_CHARACTER} of it")
def test_what_spells_everything_loses_nothing(kind, ours, one):
    tokenizer = ours(kind)
    ids, unknown = tokenizer.encode_counting(large([one]))
    assert unknown.to_pylist() == [0]
    normalizer = tokenizer.vocabulary._tokenizer.normalizer
    wanted = normalizer.normalize_str(one) if normalizer and "llama" not in kind else one
    blank = "▁" in one or "blank" in kind or "digits" in kind or "letters" in kind  # a blank before the first word
    got = tokenizer.decode(ids.values.to_numpy())
    assert got.replace("▁", " ").lstrip() == wanted.replace("▁", " ").lstrip() if blank else got == wanted


def _letters_known(kind):
    return {token for token in reference(kind).get_vocab() if len(token) == 1} | {" "}


def _bytes_known(kind):
    table = {byte: letter for letter, byte in zip(maker.BYTES, _bytes_in_order(), strict=True)}
    known = reference(kind).get_vocab()
    return {byte for byte, letter in table.items() if letter in known}


def _bytes_in_order():
    """The byte of each letter of `BYTES`."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(others)}
    return [table[letter] for letter in maker.BYTES]


@pytest.mark.parametrize(
    "kind", ["letters", "letters, unknown", "letters, fused unknown", "unigram, no unknown", "unigram"]
)
@given(one=text)
@example(one=f"the {NO_CHARACTER} of it")
def test_unknown_letters_are_counted(kind, ours, one):
    assume(not any(token in one for token in CONTROL))
    known = _letters_known(kind)
    unknown = [place for place, letter in enumerate(one) if letter not in known]
    assert ours(kind).unknown_places(one) == unknown
    assert unknown_of(ours(kind), one) == len(unknown)


@pytest.mark.parametrize("kind", ["some bytes", "some bytes, unknown"])
@given(one=text)
def test_a_letter_without_one_of_its_bytes_is_unknown(kind, ours, one):
    known = _bytes_known(kind)
    assert ours(kind).unknown_places(one) == [at for at, letter in enumerate(one) if not set(letter.encode()) <= known]


@pytest.mark.parametrize("kind", ["letters, suffix", "letters, suffix, no unknown", "letters, prefix"])
@given(one=text)
def test_a_letter_may_be_known_in_one_place_of_a_word_alone(kind, ours, one):
    known = reference(kind).get_vocab()
    unknown = []
    for word, (start, _) in reference(kind).pre_tokenizer.pre_tokenize_str(one):
        spelled = [f"##{letter}" if at and "prefix" in kind else letter for at, letter in enumerate(word)]
        spelled[-1] += "</w>" if "suffix" in kind else ""
        unknown += [start + at for at, letter in enumerate(spelled) if letter not in known]
    assert ours(kind).unknown_places(one) == unknown


@pytest.mark.parametrize("kind", ["word level", "word level, no unknown"])
@given(one=text)
def test_unknown_words_are_counted_whole(kind, ours, one):
    assume(not any(token in one for token in CONTROL))
    words = reference(kind).pre_tokenizer.pre_tokenize_str(one)
    known = reference(kind).get_vocab()
    assert unknown_of(ours(kind), one) == sum(end - start for word, (start, end) in words if word not in known)


@given(one=text)
def test_what_is_removed_before_the_model_is_counted_but_for_white_space(ours, one):
    import unicodedata

    removed = [at for at, letter in enumerate(one) if unicodedata.category(letter)[0] == "P"]
    assert ours("bytes, punctuation removed").unknown_places(one) == removed


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(pieces=st.lists(st.sampled_from([*CONTROL, " ", "x", "\n", "the", "\ufdd0", f"{NO_CHARACTER}</s>"]), max_size=8))
@example(pieces=list(CONTROL))
@example(pieces=[piece for token in CONTROL for piece in (" ", token, " ")])
def test_control_tokens_in_text_stay_text(kind, ours, pieces):
    tokenizer = ours(kind)
    (ids,) = tokenizer.encode(large(["".join(pieces)])).to_pylist()
    control = set(tokenizer.vocabulary.control_tokens.values())
    assert ids[-1] == tokenizer.end_of_document_id
    assert not control & set(ids[:-1])


FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("single_word", "lstrip", "rstrip", "normalized")})
ADDED = (
    "covid-19",
    "NeuralNet",
    "ACME corp",
    "é",
    "foo",
    "foobar",
    "bar",
    "Straße",
    " lead",
    "日本",
    "ﬁ",
    "   ",
    "the",
)
PIECES = (
    *ADDED,
    *(word.upper() for word in ADDED),
    " ",
    "  ",
    "\t",
    "\u00a0",
    ".",
    "a",
    "_",
    "1",
    "\u0301",
    "-",
    "</s>",
)


@pytest.mark.parametrize(
    "kind", ["bytes", "bytes, NFC", "bytes, lower case", "bytes, ignore_merges", "letters", "word piece"]
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_added_words_are_found_as_hugging_face_finds_them(kind, data, tmp_path_factory):
    flags = data.draw(st.just({"normalized": data.draw(st.booleans())}) if data.draw(st.booleans()) else FLAGS)
    words = [(word, flags if len(flags) == 1 else data.draw(FLAGS)) for word in data.draw(_some(ADDED))]
    theirs = maker.with_words(maker.made(kind), words)
    path = maker.saved(theirs, tmp_path_factory.mktemp("words"))
    tokenizer = load_tokenizer(str(path))
    theirs.encode_special_tokens = True
    for one in data.draw(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=8)):
        try:
            expected = theirs.encode(one, add_special_tokens=False).ids
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Hugging Face's, where two words claim the same blanks
                raise
        else:
            assert plain_ids(tokenizer, [one]) == [expected]


def _some(values):
    return st.lists(st.sampled_from(values), unique=True, min_size=1, max_size=5)


def test_plain_words_are_found_by_the_fast_library(tmp_path):
    words = [("covid-19", {}), ("ACME corp", {"normalized": False}), ("NeuralNet", {})]
    path = maker.saved(maker.with_words(maker.made("bytes"), words), tmp_path)
    tokenizer = load_tokenizer(str(path))
    assert (tokenizer.backend, tokenizer.notes) == ("fastokens", ())
    (ids,) = plain_ids(tokenizer, ["NeuralNet by ACME corp: covid-19"])
    known = tokenizers.Tokenizer.from_file(str(path)).get_vocab()
    assert {known[word] for word, _ in words} <= set(ids)


def test_words_change_the_fingerprint(tmp_path):
    without = load_tokenizer(str(maker.saved(maker.made("bytes"), tmp_path / "a")))
    found = {without.fingerprint}
    for at, flags in enumerate([{}, {"single_word": True}, {"lstrip": True}]):
        path = maker.saved(maker.with_words(maker.made("bytes"), [("covid-19", flags)]), tmp_path / str(at))
        found.add(load_tokenizer(str(path)).fingerprint)
    assert len(found) == 4


def test_ids_of_words_are_those_of_the_file(tmp_path):
    def with_a_hole(document):
        document["added_tokens"].append({**document["added_tokens"][0], "id": 400, "content": "foo", "special": False})

    tokenizer = load_tokenizer(changed(maker.saved(maker.made("bytes"), tmp_path), with_a_hole))
    assert plain_ids(tokenizer, ["foo"]) == [[400]]
    assert tokenizer.decode(np.array([400])) == "foo"
    assert "gives `foo` the id 400, which is used; Hugging Face tokenizers would make it 330" in tokenizer.notes[0]


def test_what_looks_like_a_control_token_is_text_unless_asked_for(tmp_path):
    path = maker.saved(maker.with_words(maker.made("bytes"), [("<think>", {}), ("covid-19", {})]), tmp_path)
    careful, all_of_them = load_tokenizer(str(path)), load_tokenizer(str(path), added_tokens="all")
    known = tokenizers.Tokenizer.from_file(str(path)).get_vocab()
    texts = ["<think> covid-19"]
    assert known["<think>"] not in plain_ids(careful, texts)[0]
    assert known["covid-19"] in plain_ids(careful, texts)[0]
    assert {known["<think>"], known["covid-19"]} <= set(plain_ids(all_of_them, texts)[0])
    assert "documents keep them as text (`<think>`)" in careful.notes[0]
    assert careful.fingerprint != all_of_them.fingerprint


def changed(path, change):
    """The file with something in it changed."""
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))
    return str(path)


def test_sections_for_inference_do_not_act(tmp_path):
    tokenizer = maker.made("bytes")
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    path = maker.saved(tokenizer, tmp_path)
    long = "the lazy dog " * 50
    (ids,) = plain_ids(load_tokenizer(str(path)), [long])
    assert load_tokenizer(str(path)).decode(np.array(ids)) == long


def test_dropout_is_refused(tmp_path):
    path = changed(maker.saved(maker.made("bytes"), tmp_path), lambda document: document["model"].update(dropout=0.1))
    with pytest.raises(PlanError, match=r"omits merges at random \(`model.dropout` = 0.1\)") as raised:
        load_tokenizer(path)
    assert "set `dropout` to null" in raised.value.hint


def test_an_end_mark_may_be_any_token_that_text_cannot_become(tmp_path):
    path = changed(maker.saved(maker.made("bytes"), tmp_path), lambda document: document.update(added_tokens=[]))
    with pytest.raises(
        PlanError, match=r"it has no control tokens; text cannot become `<\|endoftext\|>` either"
    ) as raised:
        load_tokenizer(path)
    assert raised.value.hint == "--set 'tokenize.end_of_document=<|endoftext|>'"
    tokenizer = load_tokenizer(path, end_of_document="<|endoftext|>")
    (ids,) = tokenizer.encode(large(["<|endoftext|> a<|endoftext|>"])).to_pylist()
    assert [at for at, number in enumerate(ids) if number == tokenizer.end_of_document_id] == [len(ids) - 1]
    assert tokenizer.decode(np.array(ids)) == "<|endoftext|> a<|endoftext|>"
    with pytest.raises(PlanError, match="`the` is not a control token .* or another that text cannot become"):
        load_tokenizer(path, end_of_document="the")


def test_where_no_token_can_end_documents_the_hint_adds_one(tmp_path):
    def without_marks(document):
        document["added_tokens"] = []
        vocabulary = document["model"]["vocab"]
        del vocabulary["<|endoftext|>"]
        document["model"]["vocab"] = {token: number - 1 for token, number in vocabulary.items()}

    path = changed(maker.saved(maker.made("bytes"), tmp_path), without_marks)
    with pytest.raises(PlanError, match="cannot be guessed; it has no control tokens") as raised:
        load_tokenizer(path)
    code = raised.value.hint.removeprefix('python -c "').removesuffix('"')
    exec(code, {})
    load_tokenizer.__globals__["_load"].cache_clear()
    assert load_tokenizer(path).end_of_document == "<|endoftext|>"


def test_the_unknown_token_ends_no_documents(tmp_path):
    path = maker.saved(maker.made("some bytes, unknown"), tmp_path)
    with pytest.raises(PlanError, match=r"`<\|endoftext\|>` is the unknown token"):
        load_tokenizer(str(path))


@pytest.mark.parametrize(
    ("kind", "sentences"),
    [
        ("bytes", []),
        ("bytes, NFC", []),
        ("bytes, lower case", ["rewrites text before it splits it (`A` → `a`"]),
        ("letters", ["Latin (`é`)", "Cyrillic", "leaves no trace, and the run counts it"]),
        ("unigram", ["becomes `<unk>`, and the run counts it"]),
        ("word piece", ["`A` → `a`, `é` → `e`", "keeps no white space", "becomes `[UNK]`"]),
    ],
)
def test_what_a_tokenizer_does_to_text_is_said_before_the_run(kind, sentences, ours):
    notes = " ".join(note for note in ours(kind).notes if "fastokens" not in note)
    assert all(sentence in notes for sentence in sentences)
    assert bool(notes) == bool(sentences)


def _duplicate_id(document):
    document["model"]["vocab"]["!"] = document["model"]["vocab"]["a"]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda d: d.pop("model"), "not a JSON object with a section `model`"),
        (lambda d: d.update(model=[]), "its `model` is not a JSON object"),
        (lambda d: d["model"].update(type="Tree"), "of the kind `Tree`"),
        (lambda d: d["model"].update(vocab=[]), "not an object of tokens and ids"),
        (lambda d: d["model"].update(vocab={}), "its vocabulary is empty"),
        (lambda d: d["model"]["vocab"].update(a=-1), "the id of `a` is -1"),
        (lambda d: d["model"]["vocab"].update(a="1"), "the id of `a` is '1'"),
        (lambda d: d["model"]["vocab"].update(a=2**40), "the id of `a` is 1099511627776"),
        (_duplicate_id, "have the same id"),
        (lambda d: d["model"]["merges"].append(["zz", "qq"]), "out of vocabulary"),
        (lambda d: d["model"]["merges"].append(7), "not a Hugging Face tokenizer.json"),
        (lambda d: d["added_tokens"].append({"id": 0, "content": "foo"}), "the id 0, which another token has too"),
        (
            lambda d: d["added_tokens"].append({"id": 9, "content": "!"}),
            "`!` has the id 9, which another token has too",
        ),
        (
            lambda d: d["added_tokens"].append({"id": 999, "content": "!"}),
            "`!` has the id 1 in the model, but 999 as an added token",
        ),
        (lambda d: d["added_tokens"].append({"id": "1", "content": "foo"}), "an added token is 'foo' with the id '1'"),
        (lambda d: d["added_tokens"].append(5), "not a Hugging Face tokenizer.json"),
        (lambda d: d.update(pre_tokenizer={"type": "Nonsense"}), "huggingface cannot read"),
    ],
)
def test_damaged_files_are_named_with_the_reason(damage, why, tmp_path):
    path = changed(maker.saved(maker.made("bytes"), tmp_path), damage)
    with pytest.raises(PlanError) as raised:
        load_tokenizer(path).prepare()
    assert why in raised.value.message
    assert "tokenizer.json" in raised.value.message
