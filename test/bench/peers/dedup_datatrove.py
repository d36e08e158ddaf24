"""datatrove's MinHash, all of its stages, on the first documents of a file."""

import importlib.metadata
import json
import tempfile
import time

import serve

try:
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from loguru import logger
except ImportError as error:
    serve.missing(error)

logger.remove()


def dedup(file, few):
    texts = json.load(open(file))[:few]
    config = MinhashConfig()

    def run():
        with tempfile.TemporaryDirectory() as folder:
            documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
            start = time.perf_counter()
            MinhashDedupSignature(f"{folder}/sig", config).run(iter(documents), 0, 1)
            for bucket in range(config.num_buckets):
                MinhashDedupBuckets(f"{folder}/sig", f"{folder}/dups", config=config).run(None, bucket, config.num_buckets)
            MinhashDedupCluster(f"{folder}/dups", f"{folder}/out", config=config).run(None, 0, 1)
            for _ in MinhashDedupFilter(f"{folder}/out").run(iter(documents), 0, 1):
                pass
            return {"seconds": time.perf_counter() - start, "count": len(texts)}

    run()
    return run


serve.serve(f"datatrove {importlib.metadata.version('datatrove')}", {"dedup": dedup})
