"""`bentoml serve bentos.tabular.service:Tabular`: rows in, predictions of the version that serves out."""

import bentoml

from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.service import QUIET, KitService, before_start
from bentos.tabular import routes
from bentos.tabular.model import load_tabular

desk = Desk(load_tabular, Config())
app = routes.app(desk)


@bentoml.service(name="tabular", service_class=KitService, **QUIET)
@bentoml.asgi_app(app, path="/")
class Tabular:
    """Starts without a model, too: /ready says what is missing."""

    app = app
    desk = desk
    check = bentoml.on_deployment(before_start)

    @bentoml.on_startup
    async def start(self) -> None:
        await app.state.lifecycle.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await app.state.lifecycle.stop()
