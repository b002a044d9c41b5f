"""A service in a process of its own that gets ready, and streams as the real one does: `how` says how well."""

import argparse
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP_S = 0.02
TOKENS = 8


class Handler(BaseHTTPRequestHandler):
    how = "well"

    def do_GET(self) -> None:
        self.send_response(503 if self.how == "never" or self.path != "/ready" else 200)
        self.end_headers()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = asked["stream"] and asked["messages"][-1]["role"] == "user" and asked["model"] == "chat"
        self.send_response(200 if right and self.how == "well" else 500)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if self.how != "well":
            return
        self.told({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
        self.wfile.write(b": still here\n\n")
        for place in range(TOKENS):
            time.sleep(STEP_S)
            self.told({"choices": [{"index": 0, "delta": {"content": f"{place} "}}]})
        self.told({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.told({"choices": [], "usage": {"completion_tokens": TOKENS}})
        self.wfile.write(b"data: [DONE]\n\n")

    def told(self, event: dict[str, object]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("how")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    told = parser.parse_args()
    Handler.how = told.how
    if told.how == "ends":
        sys.exit("No such model.")
    Server((told.host, told.port), Handler).serve_forever()
