"""http_serve.py ROOT LOG [LATENCY_S [CERTIFICATE]] -- an HTTP server for tests: prints its port, serves files below ROOT until its standard
input ends, and writes a line per request to LOG: METHOD PATH RANGE STATUS AUTHORIZATION. With CERTIFICATE (a PEM file with its key) it
prints a second port, where it speaks https. The first folder of a path says how it behaves:

    ok     as it should, with ETag, Last-Modified and ranges
    s3     as ok: a bucket is a folder; so are paths of a host BUCKET.localhost
    slow   in pieces, over half a second
    busy   503 the first two times, then ok
    down   503, always
    cut    breaks off in the middle the first time, then ok
    bare   as cut, without ETag and date, so that ranges mean nothing
    half   breaks off in the middle every time, and knows no ranges
    new    breaks off; then the object is another one (its bytes the other way round), and If-Range is honoured
    liar   the same, but the range of the other one is sent
    long, short   says a length that is a byte too large, half of the right one
    open   says no length, and closes
    chunks in chunks; torn: the last ones are missing
    mute   answers after 20 s
    empty, loop, moved (to ok), file (to file:), user (to an address with a password), forbidden; anything else: 404
"""
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

root, log_name = sys.argv[1], sys.argv[2]
latency_s = float(sys.argv[3]) if len(sys.argv) > 3 else 0
log = open(log_name, "a", buffering=1)
seen = {}
lock = threading.Lock()
DATE = "Mon, 01 Jun 2026 00:00:00 GMT"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no matter


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *args):
        pass

    def answer(self, status, headers, body=b"", keep=True):
        """body: bytes, or (file, start, bytes)"""
        # Before the answer: whoever has it may look at the log.
        log.write("%s %s %s %d %s\n" % (self.command, self.path, self.headers.get("Range", "-"), status,
                                        self.headers.get("Authorization", "-")))
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not keep:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(body, bytes):
            self.wfile.write(body)
        else:
            self.wfile.flush()
            self.connection.sendfile(body[0], body[1], body[2] or None)

    def whole(self, name, validators=True, ranges=True):
        with open(name, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            headers, start = [], 0
            tag = '"%x-%x"' % (size, os.fstat(f.fileno()).st_mtime_ns)
            if validators:
                headers += [("ETag", tag), ("Last-Modified", DATE)]
            asked = self.headers.get("Range")
            if asked and ranges and self.headers.get("If-Range", tag) in (tag, DATE):
                start = int(asked[len("bytes="):].split("-")[0])
                headers.append(("Content-Range", "bytes %d-%d/%d" % (start, size - 1, size)))
            self.answer(206 if start else 200, headers + [("Content-Length", str(size - start))], (f, start, size - start))

    def part(self, name, n, said, headers=(("ETag", '"1"'),), data=None):
        data = data or open(name, "rb").read()
        self.answer(200, list(headers) + [("Content-Length", str(len(data) if said is None else said))], data[:n(len(data))], keep=False)

    def chunks(self, name, torn):
        data = open(name, "rb").read()
        half = len(data) // 2
        body = b"".join(b"%x\r\n%s\r\n" % (len(d), d) for d in ([data[:half]] if torn else [data[:half], data[half:]]))
        self.answer(200, [("Transfer-Encoding", "chunked")], body + (b"" if torn else b"0\r\n\r\n"), keep=not torn)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if latency_s:
            time.sleep(latency_s)
        self.behave()

    def behave(self):
        kind, _, rest = self.path.lstrip("/").partition("/")
        host = self.headers.get("Host", "").split(":")[0]
        if host.endswith(".localhost"):
            kind, rest = "ok", host[: -len(".localhost")] + self.path
        name = os.path.join(root, rest.partition("?")[0].replace("%20", " "))
        with lock:
            times = seen[self.path] = seen.get(self.path, -1) + (self.command == "GET")
        half = lambda n: n // 2
        if kind == "mute":
            time.sleep(20)
        if kind == "moved":
            return self.answer(302, [("Location", "/ok/" + rest), ("Content-Length", "0")])
        if kind in ("loop", "file", "user"):
            to = {"loop": self.path, "file": "file:///etc/passwd", "user": "http://me:secret@%s/ok/%s" % (self.headers["Host"], rest)}
            return self.answer(302, [("Location", to[kind]), ("Content-Length", "0")])
        if kind == "empty":
            return self.answer(200, [("Content-Length", "0")])
        if kind == "forbidden" or kind == "down" or (kind == "busy" and times < 2):
            return self.answer(403 if kind == "forbidden" else 503, [("Content-Length", "4")], b"what")
        if kind not in ("ok", "s3", "slow", "busy", "cut", "bare", "half", "new", "liar", "long", "short", "open", "chunks", "torn") or \
                not os.path.isfile(name):
            return self.answer(404, [("Content-Length", "4")], b"what")
        if kind == "slow":
            data = open(name, "rb").read()
            self.answer(200, [("Content-Length", str(len(data)))])
            for i in range(5):
                self.wfile.write(data[i * len(data) // 5:(i + 1) * len(data) // 5])
                self.wfile.flush()
                time.sleep(0.1)
            return None
        if (kind in ("cut", "new", "liar") and times == 0) or kind == "half":
            return self.part(name, half, None)
        if kind == "bare":
            return self.part(name, half, None, ()) if times == 0 else self.whole(name, validators=False, ranges=False)
        if kind in ("new", "liar"):
            data = open(name, "rb").read()[::-1]
            if kind == "liar" and times == 1:
                start = len(data) // 2
                return self.answer(206, [("ETag", '"2"'), ("Content-Length", str(len(data) - start)),
                                         ("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))], data[start:])
            return self.part(name, lambda n: n, None, (("ETag", '"2"'),), data)
        if kind == "cut":
            with open(name, "rb") as f:  # the same validator as the piece before
                size, start = os.fstat(f.fileno()).st_size, int(self.headers["Range"][len("bytes="):].split("-")[0])
                return self.answer(206, [("ETag", '"1"'), ("Content-Length", str(size - start)),
                                         ("Content-Range", "bytes %d-%d/%d" % (start, size - 1, size))], (f, start, size - start))
        if kind in ("long", "short"):
            size = os.path.getsize(name)
            return self.part(name, lambda n: n, size + 1 if kind == "long" else half(size))
        if kind == "open":
            return self.answer(200, [("ETag", '"1"')], open(name, "rb").read(), keep=False)
        if kind in ("chunks", "torn"):
            return self.chunks(name, kind == "torn")
        return self.whole(name)


def serve(context=None):
    server = Server(("127.0.0.1", 0), Handler)
    if context:  # the handshake is the connection's thread's, not that of the others
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)


serve()
if len(sys.argv) > 4:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[4])
    serve(tls)
sys.stdin.read()
