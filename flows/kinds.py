"""The kinds of release: where the order, flow, recipe, service and bento of each stand. One entry per kind."""

from dataclasses import dataclass

from tasks.creative.specs import CreativeRecipe
from tasks.errors import BadInput
from tasks.language.specs import AssistantRecipe
from tasks.registry.recipes import Recipe
from tasks.retrieval.specs import DocumentsRecipe
from tasks.tables.specs import TabularRecipe


@dataclass(frozen=True)
class Kind:
    """Modules by name: a command imports only what it needs.

    `order` reads what an order names (`prepared`), `flow` trains it (`train`), `loader` loads a release folder
    (`answering`), and `moved`, where there is one, is told of every move on the road (`follow`)."""

    recipe: type[Recipe]
    order: str
    flow: str
    loader: str
    service: str
    bento: str
    moved: str | None = None


KINDS = {
    "tabular": Kind(
        recipe=TabularRecipe,
        order="flows.tabular_order",
        flow="flows.tabular",
        loader="tasks.tables.predictor",
        service="bentos.tabular.service:Tabular",
        bento="bentos.tabular.package",
    ),
    "creative": Kind(
        recipe=CreativeRecipe,
        order="flows.creative_order",
        flow="flows.creative",
        loader="tasks.creative.served",
        service="bentos.creative.service:Creative",
        bento="bentos.creative.package",
    ),
    "documents": Kind(
        recipe=DocumentsRecipe,
        order="flows.documents_order",
        flow="flows.documents",
        loader="tasks.retrieval.served",
        service="bentos.rag.service:Rag",
        bento="bentos.rag.package",
        moved="flows.collections",
    ),
    "assistant": Kind(
        recipe=AssistantRecipe,
        order="flows.assistant_order",
        flow="flows.assistant",
        loader="tasks.language.served",
        service="bentos.assistant.service:Assistant",
        bento="bentos.assistant.package",
    ),
}


def kind_of(name: object, where: str) -> Kind:
    if name not in KINDS:
        raise BadInput(f"{where} has kind {name!r}; there are: {', '.join(KINDS)}.")
    return KINDS[str(name)]
