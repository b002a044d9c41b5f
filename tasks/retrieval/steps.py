"""The room's cached steps: each is the pure function of its module under a key of code and inputs."""

from tasks.caching import cached
from tasks.retrieval import (
    building,
    canaries,
    evaluation,
    golden,
    judges,
    opening,
    plots,
    propose,
    release_folder,
    search,
    vectors,
    weights,
)
from tasks.sources.steps import outside

hub_weights = cached(weights.from_hub).with_options(name="hub_weights")
export_weights = cached(weights.export).with_options(name="export_weights")
embed_chunks = cached(vectors.embed_chunks)
build_index = cached(building.build).with_options(name="build_index")
publish_index = outside(opening.publish_index)
keep_cross_encoder = outside(search.keep_cross_encoder)
settle_questions = cached(golden.settle).with_options(name="settle_questions")
propose_questions = cached(propose.propose).with_options(name="propose_questions")
evaluate_index = cached(evaluation.evaluate).with_options(name="evaluate_index")
evaluate_release = cached(evaluation.evaluate_release)
probe_canaries = cached(canaries.probe).with_options(name="probe_canaries")
judge_answers = cached(judges.judge).with_options(name="judge_answers")
draw_plots = cached(plots.draw).with_options(name="draw_ranks")
assemble_release = cached(release_folder.assemble).with_options(name="assemble_index_release")
