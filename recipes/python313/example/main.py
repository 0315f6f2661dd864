"""Says hello to whoever asks, and for how long it has been up."""

import os
import signal
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from humanize import precisedelta

STARTED = time.monotonic()


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello, up for {precisedelta(time.monotonic() - STARTED)}\n".encode())


if __name__ == "__main__":
    # The first process of a container is not ended by signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: exit(0))
    HTTPServer(("", int(os.environ["PORT"])), Hello).serve_forever()
