from __future__ import annotations

import pytest
import torch

from ner_head.base.errors import UsageError
from ner_head.base.layers import layer_range
from ner_head.corpus.tagging import TagSet
from ner_head.head.context import BiLSTM, SelfAttention, reverse_within
from ner_head.head.language import LanguageClassifier
from ner_head.head.model import Head, Steps, build_head
from ner_head.head.params import AttentionParams, HeadParams, LstmParams
from ner_head.head.word_means import word_means

LABELS = ["EVT", "LOC", "ORG", "PER", "PRO"]
LANGUAGES = ["bg", "cs", "pl", "ru"]


def count(head: Head) -> int:
    return sum(p.numel() for p in head.parameters() if p.requires_grad)


def test_the_papers_head_has_its_number_of_parameters() -> None:
    params = HeadParams.paper()
    tags = params.tag_set(LABELS)
    assert len(tags) == 14
    assert count(build_head(params, n_layers=12, width=768, tag_set=tags, languages=LANGUAGES)) == 8_944_626
    without = params.model_copy(update={"classifier": 0})
    assert count(build_head(without, n_layers=12, width=768, tag_set=tags, languages=LANGUAGES)) == 7_369_198


def test_reversal_stays_within_each_length() -> None:
    sequence = torch.arange(8.0).view(2, 4, 1)
    assert reverse_within(sequence, torch.tensor([3, 4])).squeeze(-1).tolist() == [[2, 1, 0, 3], [7, 6, 5, 4]]


def test_bilstm_equals_torchs_packed_one() -> None:
    torch.manual_seed(0)
    ours, theirs = BiLSTM(5, 7), torch.nn.LSTM(5, 7, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            part = ours.backwards if name.endswith("_reverse") else ours.forwards
            parameter.copy_(getattr(part, name.removesuffix("_reverse")))
    lengths = torch.tensor([4, 2, 6])
    mask = torch.arange(6) < lengths[:, None]
    sequence = torch.randn(3, 6, 5)
    packed = torch.nn.utils.rnn.pack_padded_sequence(sequence, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(sequence, mask)[mask], expected[mask])


def test_the_gradient_of_a_reversal_is_reversed() -> None:
    sequence, weights = torch.randn(2, 4, 3, requires_grad=True), torch.randn(2, 4, 3)
    lengths = torch.tensor([3, 4])
    (reverse_within(sequence, lengths) * weights).sum().backward()
    assert sequence.grad is not None
    assert torch.equal(sequence.grad, reverse_within(weights, lengths))


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [
        ("all", [0, 1, 2, 3]),
        ("last", [3]),
        ("last-2", [2, 3]),
        ("last-8", [0, 1, 2, 3]),
        (2, [1]),
        ("1-3", [0, 1, 2]),
        ("4-4", [3]),
    ],
)
def test_a_head_mixes_the_layers_it_is_told_to(layers: object, chosen: list[int]) -> None:
    params = HeadParams.model_validate({"layers": layers, "classifier": 0})
    head = build_head(params, n_layers=4, width=6, tag_set=params.tag_set(LABELS), languages=[])
    hidden = torch.randn(2, 3, 4, 6)
    assert head.mix.layer_weights().shape == (len(chosen),)
    torch.testing.assert_close(
        head.mix(hidden[:, :, head.layers.start - 1 : head.layers.stop - 1]), hidden[:, :, chosen].mean(2)
    )


@pytest.mark.parametrize("layers", ["5", "1-5", "3-2"])
def test_layers_that_the_encoder_lacks_are_one_line(layers: str) -> None:
    with pytest.raises(UsageError, match=f"head.layers: {layers}, but the encoder has layers 1 to 4"):
        layer_range(layers, 4, param="head.layers")


@pytest.mark.parametrize("layers", ["0", "first", "last-0", "1-", "-2", 0, 1.5, True, None])
def test_layers_are_named_by_number_range_or_word(layers: object) -> None:
    with pytest.raises(ValueError, match="layers"):
        HeadParams.model_validate({"layers": layers})


def test_without_a_crf_every_step_is_a_softmax_by_itself() -> None:
    torch.manual_seed(0)
    params = HeadParams(decoder="softmax", classifier=0)
    tag_set = params.tag_set(LABELS)
    head = build_head(params, n_layers=2, width=4, tag_set=tag_set, languages=[])
    with_crf = build_head(HeadParams(classifier=0), n_layers=2, width=4, tag_set=tag_set, languages=[])
    assert count(with_crf) - count(head) == len(tag_set) * (len(tag_set) + 2)
    emissions, mask = torch.randn(2, 5, len(tag_set), requires_grad=True), torch.ones(2, 5, dtype=torch.bool)
    tags = torch.randint(0, len(tag_set), (2, 5))  # I-x behind O too: nothing is forbidden
    mask[0, 3:] = False
    plain = torch.nn.functional.cross_entropy(emissions.transpose(1, 2), tags, reduction="none")
    found = -head.crf.log_likelihood(emissions, tags, mask)
    torch.testing.assert_close(found, torch.where(mask, plain, 0.0).sum(1))
    found.sum().backward()
    assert all(score.grad is None for score in head.crf.parameters())
    (best,) = head.crf.decode(emissions[1:].detach(), mask[1:])[0]
    assert best.tags == emissions[1].argmax(-1).tolist()


@pytest.mark.parametrize("training", [False, True])
def test_attention_equals_the_formula_written_out(training: bool) -> None:
    torch.manual_seed(0)
    attention = SelfAttention(8, heads=2, key_size=3, dropout=0.0).train(training)
    sequence = torch.randn(1, 4, 8)
    q, k, v = (layer(sequence[0]).view(4, 2, 3) for layer in (attention.query, attention.key, attention.value))
    heads = [torch.softmax(q[:, h] @ k[:, h].T / 3**0.5, -1) @ v[:, h] for h in range(2)]
    expected = attention.norm(sequence[0] + attention.output(torch.cat(heads, -1)))
    torch.testing.assert_close(attention(sequence, torch.ones(1, 4, dtype=torch.bool))[0], expected)
    padded = torch.cat([sequence, torch.randn(1, 2, 8)], 1)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    torch.testing.assert_close(attention(padded, mask)[0, :4], expected)


def test_the_classifier_pools_real_pieces_only() -> None:
    torch.manual_seed(0)
    classifier = LanguageClassifier(4, hidden=5, n_languages=3, dropout=0.0)
    sequence = torch.randn(1, 3, 4)
    padded = torch.cat([sequence, torch.full((1, 2, 4), 99.0)], 1)
    mask = torch.tensor([[True, True, True, False, False]])
    pooled = torch.cat([sequence[:, 0], sequence.amax(1), sequence.mean(1)], -1)
    expected = classifier.outer(classifier.inner(pooled).relu())
    torch.testing.assert_close(classifier(padded, mask), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tags": "iobx", "mix": "per_dimension"},
        {"mix": "concat"},
        {"lstm": LstmParams(layers=0)},
        {"attention": AttentionParams(layers=0)},
        {"lstm": LstmParams(layers=2, hidden=6), "attention": AttentionParams(layers=2, heads=2, key_size=3)},
        {"lstm": LstmParams(layers=0), "attention": AttentionParams(layers=0), "classifier": 0},
        {"lstm": LstmParams(layers=0), "attention": AttentionParams(layers=0), "classifier": 0, "projection": 0},
        {"projection": 0, "decoder": "softmax", "tags": "iobx"},
    ],
)
def test_a_padded_sentence_scores_the_same_alone(changes: dict[str, object]) -> None:
    torch.manual_seed(0)
    params = HeadParams(lstm=LstmParams(hidden=8), projection=9, classifier=7).model_copy(update=changes)
    tag_set = params.tag_set(LABELS)
    head = build_head(params, n_layers=3, width=10, tag_set=tag_set, languages=LANGUAGES).eval()
    lengths = [3, 7, 5]
    hidden = torch.randn(3, 7, 3, 10)
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    steps = Steps(torch.arange(7).expand(3, 7), mask)
    together = head(hidden, mask, steps)
    for row, length in enumerate(lengths):
        one = Steps(torch.arange(length)[None], mask[row : row + 1, :length])
        alone = head(hidden[row : row + 1, :length], one.mask, one)
        torch.testing.assert_close(alone.emissions[0], together.emissions[row, :length], atol=1e-5, rtol=1e-5)
        if params.classifier:
            assert alone.language_logits is not None
            assert together.language_logits is not None
            torch.testing.assert_close(alone.language_logits[0], together.language_logits[row], atol=1e-5, rtol=1e-5)
        else:
            assert together.language_logits is None


def test_a_word_is_the_mean_of_its_pieces() -> None:
    torch.manual_seed(0)
    sequence = torch.randn(2, 6, 3)
    mask = torch.arange(6) < torch.tensor([[6], [3]])
    first_pieces = torch.tensor([[1, 3, 4], [1, 0, 0]])  # words of 2, 1 and 2 pieces; one of 2
    words = torch.tensor([[True, True, True], [True, False, False]])
    first, second = sequence
    expected = [
        torch.stack([first[0], first[1:3].mean(0), first[3], first[4:6].mean(0)]),
        torch.stack([second[0], second[1:3].mean(0), torch.zeros(3), torch.zeros(3)]),
    ]
    torch.testing.assert_close(word_means(sequence, mask, first_pieces, words), torch.stack(expected))


def test_a_head_that_joins_pieces_scores_a_padded_sentence_the_same_alone() -> None:
    torch.manual_seed(0)
    params = HeadParams(pieces="mean", lstm=LstmParams(hidden=8), projection=9, classifier=7)
    tag_set = params.tag_set(LABELS)
    head = build_head(params, n_layers=3, width=10, tag_set=tag_set, languages=LANGUAGES).eval()
    hidden, mask = torch.randn(2, 7, 3, 10), torch.arange(7) < torch.tensor([[4], [7]])
    steps = Steps(torch.tensor([[1, 3, 0, 0], [1, 2, 4, 6]]), torch.arange(4) < torch.tensor([[2], [4]]))
    together = head(hidden, mask, steps)
    alone = head(hidden[:1, :4], mask[:1, :4], Steps(steps.pieces[:1, :2], steps.mask[:1, :2]))
    assert alone.language_logits is not None
    assert together.language_logits is not None
    torch.testing.assert_close(alone.emissions[0], together.emissions[0, :2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(alone.language_logits[0], together.language_logits[0], atol=1e-5, rtol=1e-5)
    single = Steps(torch.arange(1, 7)[None], mask[1:, 1:])  # where every word is one piece, nothing is joined
    plain = build_head(
        params.model_copy(update={"pieces": "all"}), n_layers=3, width=10, tag_set=tag_set, languages=LANGUAGES
    ).eval()
    plain.load_state_dict(head.state_dict())
    joined, each = head(hidden[1:], mask[1:], single), plain(hidden[1:], mask[1:], single)
    torch.testing.assert_close(joined.emissions, each.emissions)


@pytest.mark.parametrize("pieces", ["first", "mean"])
def test_a_tag_for_every_piece_needs_every_piece(pieces: str) -> None:
    with pytest.raises(ValueError, match="it needs pieces: all"):
        HeadParams.model_validate({"tags": "iobx", "pieces": pieces})


def test_steps_choose_the_pieces_that_are_tagged() -> None:
    torch.manual_seed(0)
    params = HeadParams(classifier=0)
    head = build_head(params, n_layers=2, width=4, tag_set=TagSet.iob(LABELS), languages=[]).eval()
    hidden, mask = torch.randn(1, 5, 2, 4), torch.ones(1, 5, dtype=torch.bool)
    every = head(hidden, mask, Steps(torch.arange(5)[None], mask)).emissions
    some = head(hidden, mask, Steps(torch.tensor([[1, 4]]), mask[:, :2])).emissions
    torch.testing.assert_close(some, every[:, [1, 4]])
