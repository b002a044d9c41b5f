"""The room's cached steps: each is the pure function of its module under a key of code and inputs."""

from tasks.caching import cached
from tasks.language import (
    base,
    conversations,
    evaluation,
    examples,
    gguf,
    lora,
    merging,
    plots,
    proposing,
    release_folder,
    tiny_base,
)
from tasks.sources.steps import outside

read_conversations = cached(conversations.read_conversations)
propose_examples = cached(proposing.propose).with_options(name="propose_examples")
examples_of_corpus = cached(examples.from_corpus).with_options(name="examples_of_corpus")
examples_of_conversations = cached(examples.from_conversations).with_options(name="examples_of_conversations")
tiny = cached(tiny_base.tiny).with_options(name="tiny_base")
convert = cached(gguf.convert).with_options(name="convert_base")
hub_base = cached(base.from_hub).with_options(name="hub_base")
folder_base = outside(base.from_folder).with_options(name="folder_base")
fine_tune = cached(lora.fine_tune)
merge = cached(merging.merge).with_options(name="merge_adapter")
evaluate = cached(evaluation.evaluate).with_options(name="evaluate_model")
draw_plots = cached(plots.draw).with_options(name="draw_learning")
assemble_release = cached(release_folder.assemble).with_options(name="assemble_assistant_release")
