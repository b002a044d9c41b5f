"""The room's cached steps: each is the pure function of its module under a key of code and inputs."""

from tasks.caching import cached
from tasks.tables import (
    baseline,
    booster,
    choose,
    contracts,
    encoding,
    evaluation,
    features,
    linear,
    plots,
    release_folder,
    scoring,
    search,
    splits,
)

check_contract = cached(contracts.check)
split_rows = cached(splits.split)
build_features = cached(features.build)
rebuild_features = cached(features.rebuild)
learn_encoding = cached(encoding.learn)
search_parameters = cached(search.search)
fit_booster = cached(booster.fit).with_options(name="fit_booster")
fit_linear = cached(linear.fit).with_options(name="fit_linear")
fit_baseline = cached(baseline.fit).with_options(name="fit_baseline")
choose_model = cached(choose.choose)
score_rows = cached(scoring.score)
evaluate = cached(evaluation.evaluate)
draw_plots = cached(plots.draw)
assemble_release = cached(release_folder.assemble)
