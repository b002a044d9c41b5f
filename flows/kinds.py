"""The kinds of release: where the flow, the recipe, the service and the bento of each stand. One entry per kind."""

from dataclasses import dataclass

from tasks.errors import BadInput
from tasks.registry.recipes import Recipe
from tasks.retrieval.specs import DocumentsRecipe
from tasks.tables.specs import TabularRecipe


@dataclass(frozen=True)
class Kind:
    """Modules by name: a command imports only what it needs."""

    recipe: type[Recipe]
    flow: str
    service: str
    bento: str


KINDS = {
    "tabular": Kind(TabularRecipe, "flows.tabular", "bentos.tabular.service:Tabular", "bentos.tabular.package"),
    "documents": Kind(DocumentsRecipe, "flows.documents", "bentos.rag.service:Rag", "bentos.rag.package"),
}


def kind_of(name: object, where: str) -> Kind:
    if name not in KINDS:
        raise BadInput(f"{where} has kind {name!r}; there are: {', '.join(KINDS)}.")
    return KINDS[str(name)]
