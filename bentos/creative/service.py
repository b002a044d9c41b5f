"""`bentoml serve bentos.creative.service:Creative`: records in, scores and drafts of the version that serves out."""

import bentoml

from bentos.creative import routes
from bentos.creative.model import load_creative
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.service import QUIET, KitService, before_start

desk = Desk(load_creative, Config())
app = routes.app(desk)


@bentoml.service(name="creative", service_class=KitService, **QUIET)
@bentoml.asgi_app(app, path="/")
class Creative:
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
