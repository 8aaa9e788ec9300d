"""A trained tokenizer is the same again and spells every text; costs are those of the run."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.cli import command
from curate.errors import UserError
from curate.models.tokenizers import load_tokenizer
from curate.training.token_costs import token_costs
from curate.training.tokenizer_training import TokenizerSettings, train_tokenizer
from small_run import manifest, run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    dice = random.Random(2)
    words = ["größer", "Haus", "the", "quick", "日本", "2024", "don't", "<|endoftext|>", "naïve", "fox"]
    words += ["".join(dice.choices("abcdefgh", k=5)) for _ in range(60)]
    for source in ("one", "two"):
        with (folder / f"{source}.jsonl").open("w") as file:
            for number in range(60):
                text = " ".join(dice.choices(words, k=dice.randrange(30, 90)))
                file.write(json.dumps({"id": f"{source}{number}", "text": text}) + "\n")
    assert run(folder, folder / "out", "tokenize.tokenizer=cl100k_base", skip=["quality", "near_dup"]) == 0
    return folder / "out"


def test_the_same_text_gives_the_same_file_and_every_text_comes_back(finished, tmp_path):
    settings = TokenizerSettings(vocabulary=400, digits=1, control_tokens=("<|endoftext|>", "<|user|>"))
    content, learned = train_tokenizer(finished, settings)
    assert train_tokenizer(finished, settings) == (content, learned)
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    tokenizer = load_tokenizer(str(path))
    assert (tokenizer.backend, tokenizer.notes) == ("fastokens", ())
    assert (tokenizer.vocabulary_size, tokenizer.end_of_document) == (400, "<|endoftext|>")
    texts = ["größer 日本 <|endoftext|> <|user|> 1234\n\n\ttab", "🦊 \x00", ""]
    lists = tokenizer.encode(pa.array(texts, pa.large_string()))
    assert [tokenizer.decode(np.array(ids)) for ids in lists.to_pylist()] == texts
    vocabulary = json.loads(content)["model"]["vocab"]
    assert not [token for token in vocabulary if sum(letter.isdigit() for letter in token) > 1]


def test_a_sample_is_drawn_where_there_is_more(finished):
    all_of_it = train_tokenizer(finished, TokenizerSettings(vocabulary=400))[1]
    part = train_tokenizer(finished, TokenizerSettings(vocabulary=400, sample_bytes=all_of_it // 3))[1]
    assert 0.15 < part / all_of_it < 0.55


def test_costs_of_the_runs_own_tokenizer_are_its_tokens(finished):
    costs = token_costs(finished, [load_tokenizer("cl100k_base"), load_tokenizer("bytes")])
    whole, *groups = costs.costs
    assert costs.exact
    assert whole.tokens[0] == manifest(finished)["tokens"]["kept"]
    assert whole.tokens[1] == whole.bytes + whole.documents
    assert {(cost.by, cost.group) for cost in groups} == {("source", "one"), ("source", "two")}
    assert sum(cost.tokens[0] for cost in groups) == whole.tokens[0]
    guess = token_costs(finished, [load_tokenizer("cl100k_base")], limit=whole.bytes // 2)
    assert not guess.exact
    assert guess.costs[0].tokens[0] == pytest.approx(whole.tokens[0], rel=0.1)


def test_on_the_command_line(finished, tmp_path, capsys):
    file = str(tmp_path / "tokenizer.json")
    assert command(["tokenizer", "train", str(finished), "-o", file, "--vocabulary", "300", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vocabulary"] == [300]
    assert command(["tokenizer", "train", str(finished), "-o", file]) == 2
    assert "is there already" in capsys.readouterr().err
    assert command(["tokenizer", "train", str(finished), "-o", file, "--force", "--vocabulary", "100000"]) == 0
    assert "no more words to merge" in capsys.readouterr().err
    assert command(["tokenizer", "compare", "cl100k_base", file, str(finished)]) == 0
    shown = capsys.readouterr().out
    assert "B needs" in shown
    assert "source one" in shown
    assert command(["tokenizer", "compare", "cl100k_base", "no.json", str(finished)]) == 2
    assert Path(file).is_file()


@pytest.mark.parametrize(
    "wrong", [{"vocabulary": 200}, {"vocabulary": 3_000_000}, {"digits": 0}, {"control_tokens": ("a", "a")}]
)
def test_what_cannot_be_trained_is_refused(wrong):
    with pytest.raises(UserError):
        TokenizerSettings(**wrong)
