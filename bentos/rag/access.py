"""What a caller may see: documents of everybody and of the key's own tenant, less what was taken out."""

from starlette.requests import Request

from bentos.kit.desk import Desk
from bentos.kit.keys import caller
from bentos.rag.model import Rag
from bentos.rag.schemas import Narrowed
from bentos.rag.withheld import Withheld
from tasks.retrieval.store import Filters

Tenants = tuple[str, ...] | None


def tenants(desk: Desk[Rag], request: Request) -> Tenants:
    """The tenants whose documents are seen; None, where no keys are in use: all."""
    if not desk.config.keys:
        return None
    return tuple(dict.fromkeys(("", caller(request.scope).tenant)))


def sees(who: Tenants, tenant: str) -> bool:
    return who is None or tenant in who


async def filters(desk: Desk[Rag], request: Request, model: Rag, asked: Narrowed | None, withheld: Withheld) -> Filters:
    """What the query is held to: by the key, by the asker, and by what was taken out of the documents."""
    who = tenants(desk, request)
    documents = tuple(asked.documents) if asked and asked.documents else None
    without = tuple(sorted(await withheld.paths(model)))
    since, until = (asked.since, asked.until) if asked else (None, None)
    return Filters(tenants=who, documents=documents, without=without, since=since, until=until)
