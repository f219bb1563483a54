"""A service with a third-party limiter: Python's `limits` on Redis, one process per replica.

    python3 limits_app.py PORT REDIS_URL STRATEGY QUOTA WINDOW_SECONDS
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import STRATEGIES

port, url, strategy, quota, window = sys.argv[1:]
limiter = STRATEGIES[strategy](RedisStorage(url))
item = RateLimitItemPerSecond(int(quota), int(window))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        admitted = limiter.hit(item, "chat", self.headers["X-Tenant-ID"])
        self.send_response(200 if admitted else 429)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
