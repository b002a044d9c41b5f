"""`bentoml serve bentos.assistant.service:Assistant`: conversations in, their continuations out, as OpenAI's API."""

import bentoml

from bentos.assistant import routes
from bentos.assistant.model import load_assistant
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from bentos.kit.service import QUIET, KitService, before_start

# the image's installer then takes the build of torch that is ten times smaller
TORCH = {"envs": [*QUIET["envs"], {"name": "UV_TORCH_BACKEND", "value": "cpu"}]}

desk = Desk(load_assistant, Config())
app = routes.app(desk)


@bentoml.service(name="assistant", service_class=KitService, **QUIET | TORCH)
@bentoml.asgi_app(app, path="/")
class Assistant:
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
