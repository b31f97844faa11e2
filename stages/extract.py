"""Stage `extract`: prepared documents -> data/features, with the frozen encoder."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("extract")

from pathlib import Path

from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.corpus.records import read_documents
from ner_head.features.extraction.checkpoints import local_encoder
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.params import EncoderParams
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.workers import Workers

from . import FEATURES, PARAMS, PREPARED, SPLITS


def main() -> None:
    """Compute the features of all splits that are missing in the pool, and link all of them into the store."""
    params = read_params(PARAMS, "encoder", EncoderParams)
    runtime = read_params(PARAMS, "runtime", RuntimeParams)
    device = runtime.start()
    workers = Workers(runtime.workers, runtime.threads, runtime.scheduler, runtime.progress)
    encoder = Encoder(local_encoder(params.model), device=device, spec=params.spec, load=workers.in_this_process)
    extract(
        (document for split in SPLITS for document in read_documents(PREPARED / f"{split}.jsonl")),
        encoder,
        encoder_name=params.model,
        shard_words=params.shard_words,
        batch_pieces=runtime.batch_pieces,
        pool=Pool(Path(runtime.pool)),
        output=FEATURES,
        workers=workers,
        with_weights=True,
    )
