"""The spaCy component."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

from ner_head.base.errors import DataError, UsageError
from ner_head.bundles.bundle import make_wheel
from ner_head.cards.card import Description
from ner_head.recognizer import Recognizer
from tests.conftest import ROOT, TEXTS

spacy = pytest.importorskip("spacy", reason="needs the extra `spacy`")

NerHead = pytest.importorskip("ner_head.integrations.spacy").NerHead  # registers the component, as its entry point

CZECH = TEXTS["cs"][0]


def pipeline(model: Path | str, lang: str = "cs", **config: object) -> spacy.Language:
    nlp = spacy.blank(lang)
    nlp.add_pipe("ner_head", config={"model": str(model), **config})
    return nlp


def entities(doc: spacy.tokens.Doc) -> list[tuple[str, str]]:
    return [(entity.text, entity.label_) for entity in doc.ents]


def test_entities_and_probabilities_are_those_of_the_recognizer(model: Path) -> None:
    (expected,) = Recognizer.load(model, "cpu").recognize([CZECH], language="cs")
    doc = pipeline(model)(CZECH)
    assert entities(doc) == [("Jana Nováková", "PER"), ("Prahy", "LOC")]
    assert [entity._.probability for entity in doc.ents] == [span.probability for span in expected.spans]
    assert doc[0]._.has("probability") is False  # of spans only


def test_documents_in_batches_are_annotated_as_alone(model: Path) -> None:
    nlp = pipeline(model, "xx")
    texts = [text for text, _ in TEXTS.values()] * 3
    alone = [entities(nlp(text)) for text in texts]
    assert [entities(doc) for doc in nlp.pipe(texts, batch_size=2)] == alone
    assert all(alone)


def test_other_processes_load_the_model(model: Path) -> None:
    nlp = pipeline(model)
    assert [entities(doc) for doc in nlp.pipe([CZECH] * 4, batch_size=1, n_process=2)] == [entities(nlp(CZECH))] * 4
    assert isinstance(nlp.get_pipe("ner_head"), NerHead)
    again = pickle.loads(pickle.dumps(nlp.get_pipe("ner_head")))
    assert entities(again(nlp.make_doc(CZECH))) == entities(nlp(CZECH))


def test_the_language_is_that_of_the_pipeline_if_the_model_knows_it(model: Path) -> None:
    assert pipeline(model, "cs").get_pipe("ner_head").language() == "cs"
    assert pipeline(model, "de").get_pipe("ner_head").language() == "und"
    assert pipeline(model, "de", language="pl").get_pipe("ner_head").language() == "pl"


def test_a_group_of_spans_leaves_the_entities_alone(model: Path) -> None:
    doc = pipeline(model, spans_key="names", min_probability=0.0)(CZECH)
    assert doc.ents == ()
    assert [(span.text, span.label_) for span in doc.spans["names"]] == [("Jana Nováková", "PER"), ("Prahy", "LOC")]
    assert all(0 < span._.probability <= 1 for span in doc.spans["names"])
    assert not pipeline(model, spans_key="names", min_probability=1.0)(CZECH).spans["names"]


def test_an_entity_inside_a_token_is_widened_and_counted(model: Path) -> None:
    nlp = pipeline(model)
    nlp.tokenizer = spacy.tokenizer.Tokenizer(nlp.vocab)  # at white space only: `Prahy.` is one token
    with pytest.warns(UserWarning, match="ner_head: entities begin or end inside a token and are widened"):
        doc = nlp(CZECH)
    assert entities(doc) == [("Jana Nováková", "PER"), ("Prahy.", "LOC")]
    assert nlp.get_pipe("ner_head").widened == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(CZECH)
    assert nlp.get_pipe("ner_head").widened == 2


def test_of_entities_that_overlap_in_tokens_the_longer_is_kept_and_the_other_counted(model: Path) -> None:
    nlp = pipeline(model)
    nlp.tokenizer = lambda text: spacy.tokens.Doc(nlp.vocab, words=[text], spaces=[False])
    with pytest.warns(UserWarning, match="overlap others after that and are left out"):
        doc = nlp(CZECH)
    assert entities(doc) == [(CZECH, "PER")]
    assert (nlp.get_pipe("ner_head").widened, nlp.get_pipe("ner_head").overlapping) == (2, 1)


@pytest.mark.parametrize("store_model", [False, True])
def test_a_saved_pipeline_is_loaded(model: Path, tmp_path: Path, store_model: bool) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(model, mine)
    nlp = pipeline(mine, store_model=store_model)
    expected = entities(nlp(CZECH))
    nlp.to_disk(tmp_path / "nlp")
    packed = nlp.to_bytes()
    other = spacy.blank("cs")
    other.add_pipe("ner_head")
    other.from_bytes(packed)
    if store_model:
        shutil.rmtree(mine)
    assert entities(other(CZECH)) == entities(spacy.load(tmp_path / "nlp")(CZECH)) == expected
    assert (tmp_path / "nlp/ner_head/model/model.safetensors").exists() == store_model


def test_the_default_model_is_that_of_the_project_in_the_current_folder(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/head").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    nlp = spacy.blank("cs")
    nlp.add_pipe("ner_head")
    assert entities(nlp(CZECH)) == entities(pipeline(model)(CZECH))


def test_an_installed_model_is_found_by_its_name_and_stored_as_a_plain_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(model, tmp_path, Description("spacy_ner", "A model.", ""), release="1.0.0")
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    monkeypatch.syspath_prepend(tmp_path / "site")
    nlp = pipeline("spacy_ner", store_model=True)
    expected = entities(pipeline(model)(CZECH))
    assert entities(nlp(CZECH)) == expected
    nlp.to_disk(tmp_path / "nlp")
    shutil.rmtree(tmp_path / "site")
    assert entities(spacy.load(tmp_path / "nlp")(CZECH)) == expected


def test_a_wrong_setting_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent/manifest\.json: No such file or directory; train one"):
        pipeline(tmp_path / "absent")(CZECH)
    with pytest.raises(UsageError, match="min_probability must be between 0 and 1, got 2"):
        pipeline(tmp_path, min_probability=2)


def test_errors_go_to_the_handler_of_the_pipeline(tmp_path: Path) -> None:
    nlp, seen = pipeline(tmp_path / "absent"), []
    nlp.set_error_handler(lambda name, component, docs, error: seen.append((name, len(docs), type(error))))
    assert list(nlp.pipe([CZECH] * 3, batch_size=2)) == []
    assert seen == [("ner_head", 2, DataError), ("ner_head", 1, DataError)]


def test_an_installed_package_needs_no_import(model: Path, tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (point,) = project["entry-points"]["spacy_factories"].items()
    info = tmp_path / "ner_head_of_a_test-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ner_head_of_a_test\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[spacy_factories]\n{point[0]} = {point[1]}\n")
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n"
        "import spacy; nlp = spacy.blank('cs')\n"
        "print('torch' in sys.modules)\n"
        f"nlp.add_pipe('ner_head', config={{'model': {str(model)!r}}})\n"
        f"print(len(nlp({CZECH!r}).ents))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split()[1:] == ["2"]


def test_the_example_of_the_documentation_runs(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/integrations.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import spacy.*?)```", text, re.DOTALL)
    exec(compile(code.replace("models/head", str(model)), "docs/integrations.md", "exec"), {})
    assert "('Jana Nováková', 'PER', 0." in capsys.readouterr().out
