"""Scores of the BSNLP shared task for folders TOPIC/LANGUAGE of annotation files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.evaluation.bsnlp_counts import ALL, METRICS, DocumentPair, Mention, lemma_accuracy, score
from ner_head.evaluation.bsnlp_documents import write_predictions
from ner_head.evaluation.bsnlp_linking import LEVELS, linking_scores
from ner_head.evaluation.measures.spans import Scores
from ner_head.formats.bsnlp import CATEGORIES, WHITE, Annotations, read_annotations
from ner_head.formats.discovery import topic_folders
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions

__all__ = ["Pairing", "pair_directories", "score_directories", "table", "write_predictions"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Paired documents of gold and system, and what the scores leave out.

    Attributes:
        pairs: Documents that both sides have.
        lacking: Gold documents that the system lacks. The task skips them, except in the recall of links between
            documents.
        skipped: Their keys.
        ignored: Lines of either side that are not annotations, as `file:line: text`.
    """

    pairs: tuple[DocumentPair, ...]
    lacking: tuple[DocumentPair, ...]
    skipped: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def mostly_skipped(self) -> bool:
        """Whether the scores cover less than half of the gold documents."""
        return len(self.skipped) > len(self.pairs)

    def scores(self) -> dict[str, dict[str, Scores]]:
        """Precision, recall and F1 by metric and slice (see `bsnlp_counts` and `bsnlp_linking`)."""
        return score(self.pairs) | linking_scores(self.pairs, self.lacking)

    def lemma_accuracy(self) -> dict[str, float]:
        """The share of right lemmas among the mentions of both sides, by slice (see `bsnlp_counts`)."""
        return lemma_accuracy(self.pairs)


def score_directories(gold: Path, system: Path) -> dict[str, dict[str, Scores]]:
    """Score a system's files as the task's evaluator does.

    Args:
        gold: Folder of gold files, TOPIC/LANGUAGE/*.
        system: Folder of the system's files, with the same layout. Documents are paired by topic, language and the id
            in the first line.

    Returns:
        Precision, recall and F1 by metric and slice; see `bsnlp_counts` and `bsnlp_linking`.

    Raises:
        DataError: A file is not an annotation file, or the folders have no document in common.
    """
    return pair_directories(gold, system).scores()


def pair_directories(gold: Path, system: Path, *, by_name: bool = False) -> Pairing:
    """Read and pair the files of both sides. Documents that only one side has are skipped.

    Args:
        gold: Folder of gold files, TOPIC/LANGUAGE/*.
        system: Folder of the system's files, with the same layout.
        by_name: Pair files by name without suffix instead of by the id in the first line.

    Raises:
        DataError: A file is not an annotation file, the folders have no document in common, a side has no annotation,
            or a topic or language has the name of another slice.
    """
    pairs, lacking, skipped, read = [], [], [], list[tuple[Annotations, Annotations]]()
    for topic, language, folder in topic_folders(gold, ReaderOptions(), ReaderLog()):
        found = _annotations(system / topic / language, by_name=by_name)
        for name, wanted in _annotations(folder, by_name=by_name).items():
            if name in found:
                pairs.append(DocumentPair(topic, language, _mentions(wanted), _mentions(found[name])))
                read.append((wanted, found[name]))
            else:
                lacking.append(DocumentPair(topic, language, _mentions(wanted), ()))
                skipped.append(f"{topic}/{language}/{name}")
    if not pairs:
        raise DataError(
            f"{system}: no document of {gold} in it; files are expected as TOPIC/LANGUAGE/FILE, "
            "with the names of topic and language of the golden ones, and the document's id as the first line; "
            "--by-name pairs by names of files"
        )
    topics, languages = {pair.topic for pair in pairs}, {pair.language for pair in pairs}
    for name in sorted(topics & languages | (topics | languages) & {ALL, *CATEGORIES}):
        raise DataError(f"{gold}: a topic or language is named like another slice, {name!r}; rename the folder")
    for side, files in zip((gold, system), zip(*read, strict=True), strict=True):
        _check_rows(side, files)
    ignored = [f"{file.path}:{line}: {text}" for both in read for file in both for line, text in file.ignored]
    return Pairing(tuple(pairs), tuple(lacking), tuple(skipped), tuple(ignored))


def _check_rows(side: Path, files: Sequence[Annotations]) -> None:
    """Raise an error for a folder that has lines, but no annotation, such as a folder of raw texts."""
    odd = next((file for file in files if file.ignored), None)
    if odd is not None and not any(file.rows for file in files):
        line, text = odd.ignored[0]
        raise DataError(
            f"{side}: no annotation in it; the first line that is none is {odd.path.name}:{line}: {text!r:.60}; "
            "expected form, lemma, category and entity between tabs"
        )


def _annotations(folder: Path, *, by_name: bool) -> dict[str, Annotations]:
    """Annotations of all files of a folder by id or name, hidden files excepted; empty if there is no such folder."""
    paths = folder.iterdir() if folder.is_dir() else ()
    files = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
    if not by_name:
        return read_annotations(files, trimmed=WHITE)
    found: dict[str, Annotations] = {}
    for path in files:
        if path.stem in found:
            raise DataError(f"{path}: the name without suffix is that of {found[path.stem].path.name} too")
        (found[path.stem],) = read_annotations([path], trimmed=WHITE).values()
    return found


def _mentions(annotations: Annotations) -> tuple[Mention, ...]:
    return tuple(
        Mention(row.form.lower().strip(WHITE), row.lemma.lower().strip(WHITE), row.category, row.entity)
        for row in annotations.rows
    )


def table(pairing: Pairing) -> str:
    """Two text tables: precision, recall and F1 of each metric, overall, by category and by language."""
    scores, accuracy = pairing.scores(), pairing.lemma_accuracy()
    names = (ALL, *CATEGORIES, *sorted({pair.language for pair in pairing.pairs}))
    forms = _table(names, {metric: scores[metric] for metric in METRICS})
    links = _table(names, {level: scores[level] for level in LEVELS})
    note = f"lemmas of mentions that both sides have: {accuracy[ALL]:.3f} right" if accuracy else ""
    return "\n".join([*forms, "", *links, *(["", note] if note else [])])


def _table(names: Sequence[str], scores: Mapping[str, Mapping[str, Scores]]) -> list[str]:
    """The lines of a table of some metrics."""
    width = max(map(len, names))
    lines = [" " * width + "".join(f"{metric.replace('_', ' '):>23}" for metric in scores)]
    lines.append(" " * width + f"{'P':>11}{'R':>6}{'F1':>6}" * len(scores))
    for name in names:
        cells = [found.get(name) for found in scores.values()]
        if any(cells):
            lines.append(f"{name:{width}}" + "".join(_cell(found) for found in cells))
    return lines


def _cell(scores: Scores | None) -> str:
    if scores is None:
        return f"{'-':>11}{'-':>6}{'-':>6}"
    return f"{scores['precision']:11.3f}{scores['recall']:6.3f}{scores['f1']:6.3f}"
