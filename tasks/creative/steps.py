"""The room's cached steps: each is the pure function of its module under a key of code and inputs."""

from tasks.caching import cached
from tasks.creative import bases, choosing, exporting, fitting, labelled, plots, release_folder, scoring, tuning
from tasks.sources.steps import outside

label_texts = cached(labelled.label).with_options(name="label_texts")
fit_constant = cached(fitting.fit_constant)
fit_tfidf = cached(fitting.fit_tfidf)
fit_frozen = cached(fitting.fit_frozen)
packaged_base = cached(bases.packaged).with_options(name="packaged_encoder")
hub_base = cached(bases.from_hub).with_options(name="hub_encoder")
folder_base = outside(bases.from_folder).with_options(name="folder_encoder")
tune_encoder = cached(tuning.tune).with_options(name="tune_encoder")
export_encoder = cached(exporting.export).with_options(name="export_encoder")
wrap_encoder = cached(fitting.wrap_encoder)
choose_model = cached(choosing.choose).with_options(name="choose_classifier")
score_texts = cached(scoring.score).with_options(name="score_texts")
draw_plots = cached(plots.draw).with_options(name="draw_classifier")
assemble_release = cached(release_folder.assemble).with_options(name="assemble_creative_release")
