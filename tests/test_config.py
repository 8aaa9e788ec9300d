"""Settings: layers, origins, and errors that say what to type."""

import itertools
import shlex
import tomllib
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import curate
from curate.cli import command
from curate.errors import ConfigError
from curate.pipeline.planning import config
from curate.pipeline.planning.config import FIXED, default_file, load, settings_class
from curate.runs.command_line import command_line
from curate.settings.file import as_toml, toml_key
from curate.stages import BUILTIN, stage_class, stage_names
from thorough import settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_written_file_holds_every_default(tmp_path):
    (tmp_path / "curate.toml").write_text(default_file())
    assert load().resolved() == load(tmp_path / "curate.toml").resolved()
    named = tomllib.loads(default_file().split("\n", 3)[3].replace("\n# ", "\n"))  # what it writes is commented out
    for section in (*FIXED, *(name for name, _ in BUILTIN)):
        kind = FIXED.get(section) or stage_class(section).settings_type
        limits = {key for key in kind.blank if getattr(kind(), key) is False}  # any signal can have one
        assert set(named[section]) == set(kind.__struct_fields__) - limits, section
        assert msgspec.convert(named[section], kind).effective() == kind().effective()


PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_written_as_toml_reads_back_as_it_was(table):
    assert tomllib.loads("\n".join(f"{toml_key(key)} = {as_toml(value)}" for key, value in table.items())) == table


def test_settings_of_a_group_with_any_name_are_shown_as_toml_with_their_lines(tmp_path, capsys):
    (tmp_path / "curate.toml").write_text('[mix.weights]\n"my books" = 2.0\n"a.com" = 3.0\n')
    assert command(["config", "mix"]) == 0
    shown = capsys.readouterr().out
    assert tomllib.loads(shown)["mix"]["weights"] == {"my books": 2.0, "a.com": 3.0}
    assert '"my books" = 2.0   # curate.toml:2\n"a.com"    = 3.0   # curate.toml:3\n' in shown
    assert load(assignments=['mix.weights."a.com"=5']).mix.weights == {"my books": 2.0, "a.com": 5.0}


def test_the_command_of_a_program_gives_the_settings_that_it_gave():
    given = {
        "mix": {"weights": {"a.com": 2.0, "my books": 1.0}},
        "quality": {"languages": {"de": {"min_words": 3}}, "max_symbol_ratio": False},
        "language": {"keep": ("en", "fr")},
    }
    words = shlex.split(command_line(["in"], "out", arguments=given))
    assignments = [after for word, after in itertools.pairwise(words) if word == "--set"]
    assert load(assignments=assignments).resolved() == load(arguments=given).resolved()


def test_later_layers_win_and_say_where_they_are(tmp_path):
    file = tmp_path / "curate.toml"
    file.write_text("[quality]\nmin_words = 30\n[run]\nseed = 1\n")
    loaded = load(file, {"run.seed": 7}, ["quality.max_words=900", "language.keep=['en', 'fr']"])
    assert loaded.stage("quality").min_words == 30
    assert loaded.run.seed == 7
    assert loaded.stage("language").keep == ("en", "fr")
    assert loaded.origin("quality.min_words") == f"{file}:2"
    assert loaded.origin("quality.max_words") == "--set quality.max_words"
    assert loaded.origin("run.memory") == "default"


@pytest.mark.parametrize(
    ("text", "message", "line", "hint"),
    [
        ("[quallity]\nmin_words = 3", "there is no section `quallity`", ":1", "did you mean `quality`?"),
        ("[quality]\nmin_word = 3", "`quality` has no setting `min_word`", ":2", "did you mean `min_words`?"),
        ("min_words = 3", "`min_words` is outside any section", ":1", "did you mean `quality.min_words`?"),
        (
            "[quality.lines]\nmin_word = 3",
            "`quality.lines` has no setting `min_word`",
            ":2",
            "did you mean `min_words`?",
        ),
        (
            "[quality.languages.de]\nmax_duplicate_lines = 3",
            "`quality.languages.de.max_duplicate_lines` must be between 0 and 1",
            ":2",
            "curate config quality",
        ),
        ("[language]\nmin_score = 65", "`language.min_score` must be between 0 and 1", ":2", "curate config language"),
        ("[language]\nmin_score = 'high'", "`language.min_score` is 'high'", ":2", "curate config language"),
        ("[language]\nkeep = 'en'", "`language.keep` is 'en': expected a list", ":2", 'keep = ["en"]'),
        ("[run]\nengine = 'rai'", "`run.engine` is 'rai'", ":2", "did you mean `ray`?"),
        (
            "[quality.lines]\nkeep_code = 3\n[mix\n",
            "is not valid TOML: Expected ']'",
            ":3   [mix\n",
            "curate init writes one",
        ),
        ("[run]\nmemory = 'lots'", "`run.memory` must be like", ":2", "curate config run"),
    ],
)
def test_mistakes_are_named_with_their_line_and_a_remedy(tmp_path, text, message, line, hint):
    file = tmp_path / "curate.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert message in caught.value.message
    assert f"{file}{line}" in caught.value.where
    assert caught.value.hint == hint


def test_what_was_typed_is_named_by_its_flag():
    with pytest.raises(ConfigError) as caught:
        load(None, {"run.engine": "rai"}, ["language.keep=en"], in_folder=False)
    engine, keep = sorted(caught.value.problems, key=lambda problem: problem.where)
    assert (engine.where, keep.where) == ("--engine", "--set language.keep")
    assert (engine.hint, keep.hint) == ("did you mean `ray`?", "--set 'language.keep=[\"en\"]'")


def test_a_seed_is_no_negative_number():
    with pytest.raises(ConfigError, match="`run.seed` must be 0 or more, and less than 2.64, but is -1"):
        load(None, {"run.seed": -1}, in_folder=False)


DEFAULTS = (Path(curate.__file__).parent / "curate.toml").read_bytes()
PIECES = [
    *(b"\xef\xbb\xbf", b"\r\n", b"\r", b"\0", b"\x85", "\u2028".encode(), b"'''", b'"\\ud800"', b"# "),
    *(
        b"[run]\nseed = 1\n",
        b"[run]\n",
        b"run = 3\n",
        b"[[run]]\n",
        b'["run"]\n',
        b"[ run ]\nworkers = -1\n",
        b"a.b.c = 1\n",
    ),
    *(
        b"seed = 0x10\n",
        b"seed = inf\n",
        b"seed = 2024-01-01\n",
        b"seed = " + b"9" * 5000,
        b"x = " + b"[" * 5000 + b"]" * 5000,
    ),
    *(b"[quality.lines]\nmin_words=3\n", b"quality.languages.de.min_words = 3\n", b'"quality"."min_words" = "3"\n'),
    *(b"tool = 3\n", b"[tool]\ncurate = 3\n", b"[tool.curate.run]\nseed=3\n"),
    *(DEFAULTS, DEFAULTS.replace(b"\n", b"\r\n"), DEFAULTS[:300], DEFAULTS.decode().encode("utf-16")),
]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=5),
    name=st.sampled_from(["curate.toml", "pyproject.toml"]),
)
def test_a_settings_file_of_any_bytes_is_read_or_refused_by_name(pieces, name, tmp_path):
    (tmp_path / name).write_bytes(b"".join(pieces))
    with suppress(ConfigError):  # any other error fails the test
        load(tmp_path / name)


VALUES = ["-1", "0", "1.5", "nan", "-inf", "1e400", "true", "''", "'x'", "[]", "[1]", "['']", "[[]]", "{}", "{a={b=1}}"]
VALUES += ["2024-01-01", "10:00:00", "9" * 20]
SETTINGS = [f"{name}.{key}" for name in (*FIXED, *stage_names()) for key in settings_class(name).__struct_fields__]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(SETTINGS), st.sampled_from(["", ".x", ".en.min_words"]), st.sampled_from(VALUES)),
        max_size=3,
    )
)
def test_a_setting_of_any_value_is_taken_or_refused(given_values):
    with suppress(ConfigError):  # any other error fails the test
        load(None, {}, [f"{key}{more}={value}" for key, more, value in given_values], in_folder=False).resolved()


@pytest.mark.parametrize(
    "key", ["quality.min_characters", "quality.max_words", "report.epochs", "quality.languages.en.min_words"]
)
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e400"])
def test_numbers_are_finite(key, value):
    with pytest.raises(ConfigError, match="must be a finite number") as caught:
        load(None, {}, [f"{key}={value}"], in_folder=False)
    assert f"`{key}`" in caught.value.message


def test_numbers_of_a_range_are_finite():
    with pytest.raises(ConfigError, match=r"`report.price_per_gpu_hour` must be a finite number, but is inf"):
        load(None, {}, ["report.price_per_gpu_hour=[1, 2, inf]"], in_folder=False)


def test_all_mistakes_are_reported_together(tmp_path):
    file = tmp_path / "curate.toml"
    file.write_text("[quality]\nmin_word = 3\n[language]\nmin_score = 2\n")
    with pytest.raises(ConfigError, match="2 settings are wrong") as caught:
        load(file)
    assert "min_word" in caught.value.message
    assert "min_score" in caught.value.message


def test_pyproject_may_hold_the_settings(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.curate.run]\nseed = 9\n")
    assert load().run.seed == 9
    assert load().origin("run.seed").endswith(":2")
    assert config.FILE_NAME == "curate.toml"
