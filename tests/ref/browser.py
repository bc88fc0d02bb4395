# browser.py -- a page in headless Chromium, by its own protocol through a pipe: no package is needed besides the browser.
import base64, json, os, shutil, subprocess, tempfile, time


def program():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)


class Page:
    """One tab. errors: what scripts threw or wrote to console.error; requests: addresses asked for besides the page itself."""

    def __init__(self, width=1280, height=900, dark=False):
        self.profile = tempfile.mkdtemp()
        to_r, self.to = os.pipe()
        self.back, back_w = os.pipe()

        def pipes():
            for source, number in ((os.dup(to_r), 3), (os.dup(back_w), 4)):
                os.dup2(source, number)
        self.process = subprocess.Popen(
            [program(), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--user-data-dir=" + self.profile,
             "--mute-audio", "--no-first-run", "--disable-background-networking", "about:blank"], preexec_fn=pipes, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_r), os.close(back_w)
        self.room, self.number, self.session = b"", 0, None
        self.errors, self.requests, self.loaded = [], [], False
        target = [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"][0]["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Performance"):
            self.ask(domain + ".enable")
        self.size(width, height)
        self.dark(dark)

    def close(self):
        try:
            self.session = None
            self.ask("Browser.close")
            self.process.wait(10)
        except Exception:
            self.process.kill()
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self):
        while b"\0" not in self.room:
            part = os.read(self.back, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self.room += part
        one, self.room = self.room.split(b"\0", 1)
        m = json.loads(one)
        kind, p = m.get("method"), m.get("params", {})
        if kind == "Runtime.exceptionThrown":
            d = p["exceptionDetails"]
            self.errors.append(d.get("exception", {}).get("description") or d["text"])
        elif kind == "Runtime.consoleAPICalled" and p["type"] in ("error", "assert"):
            self.errors.append(str([a.get("value") for a in p["args"]]))
        elif kind == "Log.entryAdded" and p["entry"]["level"] == "error":
            self.errors.append(p["entry"]["text"])
        elif kind == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])
        elif kind == "Page.loadEventFired":
            self.loaded = True
        return m

    def ask(self, method, **params):
        self.number += 1
        m = {"id": self.number, "method": method, "params": params}
        if self.session:
            m["sessionId"] = self.session
        data = json.dumps(m).encode() + b"\0"
        while data: # a pipe takes a part
            data = data[os.write(self.to, data):]
        while True:
            got = self.message()
            if got.get("id") == self.number:
                if "error" in got:
                    raise RuntimeError(method + ": " + got["error"]["message"])
                return got["result"]

    def size(self, width, height):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, yes):
        self.ask("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": "dark" if yes else "light"}])

    def open(self, path):
        """Returns seconds until the page was loaded and drawn once."""
        self.errors, self.requests, self.loaded = [], [], False
        start = time.time()
        self.ask("Page.navigate", url="file://" + os.path.abspath(path))
        while not self.loaded:
            self.message()
        self.run("new Promise((f) => requestAnimationFrame(() => setTimeout(f)))")
        return time.time() - start

    def processor_s(self):
        """Processor time of the page's process so far."""
        return {m["name"]: m["value"] for m in self.ask("Performance.getMetrics")["metrics"]}["ProcessTime"]

    def run(self, script):
        r = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise RuntimeError(d.get("exception", {}).get("description") or d["text"])
        return r["result"].get("value")

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="none" if kind == "mouseMoved" else "left", clickCount=1)

    def key(self, name, code=0):
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    def shot(self, path, whole=False):
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole, **({"clip": self.all()} if whole else {}))["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def all(self):
        b = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": b["width"], "height": b["height"], "scale": 1}
