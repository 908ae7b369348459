"""A POP Market as a process, and those who use it. What comes late is waited for, by the clock of this process."""

import http.client
import json
import shutil
import subprocess
import tempfile
import threading
import time

# How long anything may take that has to come, in seconds.
LONG = 60


class Market:
    """Four replicas and the web on loopback, in a folder that goes away at the end."""

    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="popmarket-test-")
        self.process = None
        self.address = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """Starts it, also once more, and waits until it is ready."""
        arguments = [self.program, "--no-demo", "--listen", "127.0.0.1:0", "--data", self.folder]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        too_late = threading.Timer(LONG, self.process.kill)
        too_late.start()
        for line in self.process.stdout:
            if "shop" in line and "http://" in line:
                self.address = line.split("http://")[1].split("/")[0]
            if "Stop with Ctrl-C" in line:
                break
        too_late.cancel()
        assert self.process.poll() is None and self.address, "popmarket did not start"
        until = time.monotonic() + LONG
        while Client(self).ask("GET", "/readyz")[0] != 200:
            assert time.monotonic() < until, "popmarket is not ready"

    def kill(self):
        """Ends it at once, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Client:
    """Someone who asks. Without a token nobody in particular."""

    def __init__(self, market, token=None, address=None):
        self.market, self.token, self.address = market, token, address

    def ask(self, method, path, body=None):
        """The status of the answer, and what it says."""
        headers = {"prefer": "wait=30"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["content-type"], body = "application/json", json.dumps(body)
        connection = http.client.HTTPConnection(self.market.address, timeout=LONG)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def must(self, method, path, body=None):
        """Does something that has to work."""
        status, text = self.ask(method, path, body)
        assert status in (200, 201), f"{method} {path}: {status} {text}"
        return json.loads(text)

    def post(self, path, body=None):
        """The same, for most of what is done."""
        return self.must("POST", path, body)

    def get(self, path):
        """Looks up something that is there."""
        status, text = self.ask("GET", path)
        assert status == 200, f"GET {path}: {status} {text}"
        return json.loads(text)


def sign_in(market, name, password):
    """A member who is there."""
    session = Client(market).post("/v1/sessions", {"name": name, "password": password})
    return Client(market, session["token"])


def official(market, name):
    """An admin, an arbiter or the courier of a market that only this machine can reach."""
    client = sign_in(market, name, "popmarket-demo")
    client.address = client.get("/v1/members/me")["address"]
    return client


def admin(market):
    """The admin who is asked for most."""
    return official(market, "admin1")


def join(market, name):
    """A new member."""
    member = {"name": name, "password": "correct horse"}
    address = Client(market).post("/v1/members", member)["id"]
    client = sign_in(market, **member)
    client.address = address
    return client
