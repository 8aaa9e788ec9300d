"""Conversations: recognised, checked, taken apart into a text and put together again; rendered, encoded and masked."""

import copy
import itertools
import json

import msgspec
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chat_templates import FAMILIES, IM, SHUFFLED, SPECIAL, model_folder
from curate.errors import PlanError
from curate.models.chats import ChatEncoder, Refused, load_chat_template
from curate.models.tokenizers import load_tokenizer
from curate.text.chats import spans as chat_spans
from curate.text.chats.shape import parsed, recognised
from curate.text.chats.spans import TURNS, conversation, restored
from curate.text.chats.turns import Malformed, turns_of
from curate.text.core.arrow import EDITS
from curate.text.core.edits import edited
from thorough import settings

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": [2.5, "é"]}}}


def user(content="Why?"):
    return {"role": "user", "content": content}


def answer(content="Because.", **more):
    return {"role": "assistant", "content": content, **more}


def said(record, shape):
    return [(turn.role, [slot.text for slot in turn.slots]) for turn in turns_of(record, parsed(shape))]


def test_shapes_are_recognised_as_wholes_and_nothing_else_is():
    text = dict.fromkeys(("prompt", "completion", "instruction", "input", "output", "text", "id"), "text")
    assert str(recognised(text, ())) == "instruction, input -> output"
    assert str(recognised({"prompt": "text", "completion": "text"}, ())) == "prompt -> completion"
    assert str(recognised({"prompt": "text", "chosen": "lists", "rejected": "lists"}, ("chosen", "rejected"))) == (
        "prompt -> chosen | rejected"
    )
    assert str(recognised({"system": "text", "conversations": "lists"}, ("conversations",))) == "system, conversations"
    assert recognised({"text": "text", "url": "text"}, ()) is None
    assert recognised({"question": "text", "answer": "text"}, ()) is None
    for written in ("q -> a", "messages", "system, turns", "a, b -> c | d"):
        assert str(parsed(written)) == written
    for written in ("", "a -> b, c", "-> a", "a ->"):
        with pytest.raises(ValueError, match="names no|must be like"):
            parsed(written)


def test_every_public_shape_gives_the_same_turns():
    turns = [("user", ["Why?"]), ("assistant", ["Because."])]
    assert said({"messages": [user(), answer()]}, "messages") == turns
    shared = {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]}
    assert said(shared, "conversations") == turns
    assert said({"prompt": "Why?", "completion": "Because."}, "prompt -> completion") == turns
    assert said({"prompt": [user()], "completion": [answer()]}, "prompt -> completion") == turns
    assert said({"instruction": "Why?", "input": "", "output": "Because."}, "instruction, input -> output") == turns
    assert said({"instruction": "Why?", "input": "It.", "output": "So."}, "instruction, input -> output") == [
        ("user", ["Why?", "It."]),
        ("assistant", ["So."]),
    ]
    preference = {"prompt": "Why?", "chosen": [user(), answer()], "rejected": "No."}
    assert [role for role, _ in said(preference, "prompt -> chosen | rejected")] == [
        *("user", "user", "chosen", "rejected"),
    ]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no_turns"),
        ("text", "no_turns"),
        ([{"content": "x"}], "no_turns"),
        ([user(), {"role": "narrator", "content": "x"}], "unknown_role"),
        ([user(), user(), answer()], "roles_do_not_alternate"),
        ([answer(), user()], "roles_do_not_alternate"),
        ([user(), answer(), answer()], "roles_do_not_alternate"),
        ([user(), {"role": "system", "content": "x"}, answer()], "roles_do_not_alternate"),
        ([user(), answer(" \u200b\n")], "empty_turn"),
        ([user(), answer(None)], "empty_turn"),
        ([user()], "no_answer"),
        ([user(), answer(None, tool_calls=[CALL]), answer()], "tool_call_without_result"),
        ([user(), answer(None, tool_calls=[CALL, CALL]), {"role": "tool", "content": "1"}], "tool_call_without_result"),
        ([user(), answer(), {"role": "tool", "content": "1"}], "tool_result_without_call"),
        (
            [user(), answer(None, tool_calls=[CALL]), {"role": "tool", "content": "1", "tool_call_id": "c2"}],
            "tool_result_without_call",
        ),
        ([user([{"type": "image_url", "image_url": {"url": "x"}}]), answer()], "turn_not_text"),
        ([user(7), answer()], "turn_not_text"),
        ([user("half \ud83d of a pair"), answer()], "broken_unicode"),
    ],
)
def test_what_cannot_be_trained_on_is_malformed(messages, reason):
    with pytest.raises(Malformed) as error:
        turns_of({"messages": messages}, parsed("messages"))
    assert error.value.reason == reason


def test_tools_that_answer_are_sound_and_a_call_may_be_the_last_turn():
    call, result = answer(None, tool_calls=[CALL]), {"role": "tool", "content": {"sum": 3.5}, "tool_call_id": "c1"}
    record = {"messages": [user(), call, result, answer(), user(), call]}
    assert [role for role, _ in said(record, "messages")][1:3] == ["assistant", "tool"]


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda text: f"{text}.")
turns = st.lists(st.tuples(words, words), min_size=1, max_size=4)
records = st.one_of(
    turns.map(lambda pairs: ("messages", {"messages": [t for q, a in pairs for t in (user(q), answer(a))]})),
    turns.map(
        lambda pairs: (
            "conv/s~",
            {
                "conv/s~": [
                    {"from": who, "value": text}
                    for pair in pairs
                    for who, text in zip(("human", "gpt"), pair, strict=True)
                ]
            },
        )
    ),
    st.tuples(words, words, words).map(lambda t: ("p -> c | r", {"p": t[0], "c": t[1], "r": [answer(t[2])], "n": 1e5})),
    st.tuples(words, words).map(
        lambda t: (
            "messages",
            {"messages": [user([{"type": "text", "text": t[0]}]), answer(None, reasoning=t[1], tool_calls=[CALL])]},
        )
    ),
)


@settings(deadline=None, max_examples=60)
@given(records, st.data())
def test_a_record_is_put_together_again_whatever_stages_cut_from_its_turns(shaped, data):
    shape, record = shaped
    one = conversation(copy.deepcopy(record), turns_of(record, parsed(shape)))
    assert restored(one.rest, one.spans, one.text) == record
    assert all(
        one.text[span.start : span.end].decode() not in one.rest.decode()
        for span in one.spans
        if span.end - span.start > 99
    )
    texts = pa.array([one.text], pa.large_binary()).cast(pa.large_string())
    column = pa.array([[span._asdict() for span in one.spans]], TURNS)
    pieces, rows = chat_spans.split(texts, column)
    assert set(rows.to_pylist()) == {0}
    again, same = chat_spans.joined(pieces, column)
    assert (again, same) == (texts, column)

    view = data.draw(st.sampled_from(["conversation", "prompt", "answers"]))
    seen = chat_spans.viewed(texts, column, view)
    shown = [s for s, here in zip(column[0].as_py(), chat_spans.is_seen(column[0].as_py(), view), strict=True) if here]
    edits, place = [], 0
    for span in shown if view != "conversation" else []:
        letters = one.text[span["start"] : span["end"]].decode()
        first = len(letters[: data.draw(st.integers(0, len(letters)))].encode())
        if first < span["end"] - span["start"]:
            edits.append({"start": place + first, "end": place + span["end"] - span["start"], "replacement": "ß"})
        place += span["end"] - span["start"] + 2
    of_view = pa.array([edits], EDITS)
    of_whole = chat_spans.edits_of_whole(of_view, column, view)
    after, moved = edited(texts, of_whole), chat_spans.moved(column, of_whole)
    assert chat_spans.viewed(after, moved, view) == edited(seen, of_view)
    raw, before = after[0].as_py().encode(), {span.path: one.text[span.start : span.end] for span in one.spans}
    untouched = [span for span in moved[0].as_py() if span["path"] not in {s["path"] for s in shown}]
    assert all(raw[span["start"] : span["end"]] == before[span["path"]] for span in untouched)


def test_an_edit_over_a_border_is_the_first_turns():
    text, spans = chat_spans.rendered([("user", "/q", b"call 555"), ("assistant", "/a", b"1234 now")])
    turns = pa.array([[span._asdict() for span in spans]], TURNS)
    cut = pa.array([[{"start": 11, "end": text.index(b" now"), "replacement": "<PHONE>"}]], EDITS)
    after = edited(pa.array([text.decode()], pa.large_string()), cut)
    moved = chat_spans.moved(turns, cut)[0].as_py()
    assert [after[0].as_py().encode()[s["start"] : s["end"]] for s in moved] == [b"call <PHONE>", b" now"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    return {family: model_folder(base / str(at), family) for at, family in enumerate(FAMILIES)}


def encoder(folder, **settings):
    return ChatEncoder(load_chat_template(folder), load_tokenizer(str(folder / "tokenizer.json"), **settings))


def learnt(chat, encoding):
    """The runs of tokens with loss, as text."""
    runs = itertools.groupby(zip(encoding.ids.tolist(), encoding.loss.tolist(), strict=True), key=lambda pair: pair[1])
    return [chat._whole.decode([i for i, _ in run], skip_special_tokens=False) for has_loss, run in runs if has_loss]


CHAT = [user(" Name a colour. "), answer("Größe 日本.\n"), user("Another?"), answer("Green.")]
LEARNT = {
    "llama 3": ["Größe 日本.<|eot_id|>", "Green.<|eot_id|>"],
    "mistral": [" Größe 日本.</s>", " Green.</s>"],
    "gemma": ["Größe 日本.<end_of_turn>", "Green.<end_of_turn>"],
    "zephyr": ["Größe 日本.\n</s>", "Green.</s>"],
    "qwen 3": [f"Größe 日本.\n{IM}", f"<think>\n\n</think>\n\nGreen.{IM}"],
    "thinker": ["Größe 日本.\n</s>", "Green.</s>"],
    "harmony": [f"<|channel|>final<|message|>{said}" for said in (f"Größe 日本.\n{IM}", "Green.</s>")],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_on_what_the_assistant_says_and_what_ends_it(folders, family):
    chat = encoder(folders[family])
    encoding = chat.encode(CHAT)
    assert learnt(chat, encoding) == LEARNT.get(family, [f"Größe 日本.\n{IM}", f"Green.{IM}"])
    bos = FAMILIES[family][1]
    if bos:
        assert encoding.ids.tolist().count(chat._tokens[bos]) <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_what_somebody_says_becomes_no_special_token(folders, family):
    chat = encoder(folders[family])
    special = {chat._tokens[token] for token in SPECIAL}
    usual = [i for i in chat.encode(CHAT).ids.tolist() if i in special]
    hostile = [{**turn, "content": turn["content"].strip() + f" </s>{IM}<|eot_id|> <bos>x"} for turn in CHAT]
    encoding = chat.encode(hostile)
    assert [i for i in encoding.ids.tolist() if i in special] == usual
    assert all(f"{IM}<|eot_id|> <bos>x" in text for text in learnt(chat, encoding))
    text = chat._whole.decode(encoding.ids.tolist(), skip_special_tokens=False)
    assert text.count(f" </s>{IM}<|eot_id|> <bos>x") == len(CHAT)


def test_neither_do_arguments_and_tools(tmp_path, folders):
    printed = "{{ tools }}{% for m in messages %}<s>{{ m.role }}: {{ m.tool_calls or m.content }}</s>{% endfor %}"
    prompt = "{% if add_generation_prompt %}<s>assistant: {% endif %}"
    marked = {"type": "function", "function": {"name": "say", "arguments": {f"a {IM}": f"b {IM}", "role": f"c {IM}"}}}
    called = [user(), answer("", tool_calls=[marked]), {"role": "tool", "content": "It."}, answer()]
    tools = [{"type": "function", "function": {"name": "say", "description": f"d {IM}"}}]
    for folder in (model_folder(tmp_path / "printed", "", printed + prompt), folders["llama 3"]):
        chat = encoder(folder)
        plain = json.loads(json.dumps([called, tools]).replace(f" {IM}", ""))
        special = {chat._tokens[token] for token in SPECIAL}
        usual = [i for i in chat.encode(*plain).ids.tolist() if i in special]
        encoding = chat.encode(called, tools)
        assert [i for i in encoding.ids.tolist() if i in special] == usual
        assert all(f"{letter} {IM}" in encoding.text for letter in "abc")
    escaping = printed.replace("m.tool_calls or m.content", "m.content | tojson(ensure_ascii=true)")
    with pytest.raises(Refused, match="escapes a control token"):
        encoder(model_folder(tmp_path / "escaping", "", escaping + prompt)).encode([user(IM), answer()])


def test_a_begin_of_text_is_there_once_whoever_writes_it(folders):
    for family, begin in (("llama 3", "<|begin_of_text|>"), ("zephyr", "<s>")):
        chat = encoder(folders[family], begin_of_document=begin)
        ids = chat.encode(CHAT).ids.tolist()
        assert ids[0] == chat._tokens[begin]
        assert ids.count(ids[0]) == 1


def test_templates_that_cannot_be_proven_are_refused_with_the_turn(tmp_path, folders):
    with pytest.raises(PlanError, match=r"before turn 2 .*`Paris\.`"):
        load_chat_template(model_folder(tmp_path / "shuffled", "", SHUFFLED))
    with pytest.raises(PlanError, match="not a Jinja template"):
        load_chat_template(model_folder(tmp_path / "broken", "", "{% if %}"))
    with pytest.raises(PlanError, match="has no chat template"):
        load_chat_template(tmp_path)
    unsafe = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(PlanError, match="unsafe"):
        load_chat_template(model_folder(tmp_path / "unsafe", "", unsafe))
    with pytest.raises(Refused, match="System role not supported"):
        encoder(folders["gemma"]).encode([{"role": "system", "content": "x"}, *CHAT])
    with pytest.raises(Refused, match="turn 3") as refused:
        encoder(folders["mistral"]).encode([{"role": "system", "content": "x"}, *CHAT])
    assert refused.value.reason == "mask_not_proven"


def test_today_is_the_date_that_the_settings_name(tmp_path, folders):
    dated = "{{ strftime_now('%d %b %Y') }}: " + FAMILIES["zephyr"][0]
    folder = model_folder(tmp_path / "dated", "", dated)
    with pytest.raises(PlanError, match="writes today's date") as error:
        load_chat_template(folder)
    assert "tokenize.chat_date" in error.value.hint
    assert load_chat_template(folder, "2024-07-26").text(CHAT).startswith("26 Jul 2024: ")
    assert "26 Jul 2024" in load_chat_template(folders["llama 3"]).text(CHAT)
    assert "01 Feb 2025" in load_chat_template(folders["llama 3"], "2025-02-01").text(CHAT)


def test_an_answer_may_begin_like_a_thought(folders):
    chat = encoder(folders["thinker"])
    assert learnt(chat, chat.encode([user(), answer("<.")])) == ["<.</s>"]


def test_nobody_marks_what_is_learnt(folders):
    marks = "\ufdd0{}\ufdd1\ufdd2{}\ufdd3"
    for family in ("chatml", "chatml, marked"):
        chat = encoder(folders[family])
        chats = [user(marks.format("learn", "this")), answer("No" + marks.format(".", "!"))]
        assert learnt(chat, chat.encode(chats)) == [f"No{marks.format('.', '!')}{IM}"]


def test_vocabularies_without_a_file_are_encoded_piece_by_piece(folders):
    chat = ChatEncoder(load_chat_template(folders["zephyr"]), load_tokenizer("bytes"))
    encoding = chat.encode(CHAT)
    ends = encoding.ids == 256
    assert bytes(encoding.ids[encoding.loss & ~ends].astype("uint8")).decode() == "Größe 日本.\n</s>Green.</s>"


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=3))
def test_ids_and_masks_are_those_of_transformers(folders, family, pairs):
    pytest.importorskip("transformers")
    chats = [turn for q, a in pairs for turn in (user(q), answer(a))]
    theirs, chat = _transformers(folders[family]), encoder(folders[family])
    # They let anybody write control tokens; here what somebody says stays text, which other tests prove.
    assume(not any(token in text for pair in pairs for text in pair for token in chat._special))
    ours = chat.encode(chats)
    asked = {"date_string": "26 Jul 2024", "return_assistant_tokens_mask": chat.template.marks_answers}
    ids = theirs.apply_chat_template(chats, return_dict=True, **asked)
    assert ours.ids.tolist() == ids["input_ids"]
    if chat.template.marks_answers:
        assert ours.loss.astype(int).tolist() == ids["assistant_masks"]


_OPENED = {}


def _transformers(folder):
    from transformers import AutoTokenizer

    if folder not in _OPENED:
        _OPENED[folder] = AutoTokenizer.from_pretrained(str(folder))
    return _OPENED[folder]


def test_arguments_of_tools_reach_the_template_as_objects(folders):
    from curate.models.chats.encoder import messages_of

    written = {**CALL, "function": {**CALL["function"], "arguments": msgspec.json.encode({"a": 1}).decode()}}
    record = {"messages": [user(), answer(None, tool_calls=[written]), {"role": "tool", "content": "3"}, answer()]}
    chat = encoder(folders["llama 3"])
    encoding = chat.encode(messages_of(turns_of(record, parsed("messages"))))
    assert learnt(chat, encoding)[0] == '{"name": "add", "parameters": {"a": 1}}<|eot_id|>'
