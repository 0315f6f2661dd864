"""Answers with what a dependency makes of a number."""

import os
import signal
from http.server import BaseHTTPRequestHandler, HTTPServer

from humanize import intcomma


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello, {intcomma(60000)}\n".encode())


signal.signal(signal.SIGTERM, lambda *_: exit(0))
HTTPServer(("", int(os.environ["PORT"])), Hello).serve_forever()
