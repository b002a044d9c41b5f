"""`bentoml serve bentos.rag.service:Rag`: questions in, answers with their pages out."""

import bentoml

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.service import QUIET, KitService, before_start
from bentos.rag import routes
from bentos.rag.model import load_rag

desk = Desk(load_rag, Config())
app = routes.app(desk)


@bentoml.service(name="rag", service_class=KitService, **QUIET)
@bentoml.asgi_app(app, path="/")
class Rag:
    """Starts without a release, too: /ready says what is missing."""

    app = app
    desk = desk
    check = bentoml.on_deployment(before_start)

    @bentoml.on_startup
    async def start(self) -> None:
        await app.state.lifecycle.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await app.state.lifecycle.stop()
