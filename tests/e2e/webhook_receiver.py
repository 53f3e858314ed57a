"""A receiver of webhooks over TLS, on one loopback port, that can be away for a while.

    with WebhookReceiver(directory) as receiver:
        ... receiver.url("soar"), receiver.ca_file ...
        receiver.go_away(); receiver.come_back()
        receiver.received("soar")
"""

import http.server
import pathlib
import ssl
import subprocess
import threading

import processes


class Received:
    """One request, as it came."""

    def __init__(self, headers, body):
        self.headers, self.body = headers, body

    @property
    def id(self):
        return self.headers["webhook-id"]


class WebhookReceiver:
    def __init__(self, directory):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.ca_file, self.key_ = directory / "ca.pem", directory / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", str(self.key_), "-out", str(self.ca_file)],
                       check=True, capture_output=True)
        self.port = processes.free_port()
        self.server_ = self.thread_ = None
        self.lock_ = threading.Lock()
        self.received_ = []  # (path, Received)

    def __enter__(self):
        self.come_back()
        return self

    def __exit__(self, *_):
        self.go_away()

    def url(self, path):
        return f"https://localhost:{self.port}/{path}"

    def received(self, path):
        with self.lock_:
            return [request for at, request in self.received_ if at == f"/{path}"]

    def come_back(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                if receiver.server_ is not self.server:  # away: connections that were kept are cut, too
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock_:
                    receiver.received_.append((self.path, Received(dict(self.headers), body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that trust nobody hang up

        self.server_ = Server(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self.key_)
        # Else a client that never shakes hands holds up the thread that accepts.
        self.server_.socket = context.wrap_socket(self.server_.socket, server_side=True, do_handshake_on_connect=False)
        self.thread_ = threading.Thread(target=self.server_.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread_.start()

    def go_away(self):
        server, self.server_ = self.server_, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        self.thread_.join()
