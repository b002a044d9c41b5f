"""A judge that is no language model: a real HTTP server which speaks OpenAI's chat completions."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Say = Callable[[str], str]  # the last message to the judge's text


@contextmanager
def running(say: Say) -> Iterator[str]:
    """The base URL of a server that answers with what `say` makes of the last message."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions", self.path
            said = say(asked["messages"][-1]["content"])
            if asked.get("stream"):
                piece = {"index": 0, "delta": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": asked["model"]}
                self.told(f"data: {json.dumps(event | {'choices': [piece]})}\n\ndata: [DONE]\n\n", "text/event-stream")
                return
            message = {"role": "assistant", "content": said}
            body = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
            self.told(json.dumps(body), "application/json")

        def told(self, text: str, kind: str) -> None:
            data = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
