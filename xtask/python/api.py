"""Sends a real market requests that are made up from its own OpenAPI description, and holds the answers to it.

Usage: api.py PROGRAM

Each kind of user has a run of its own. What names something in a path is now and then something that is there, so that
requests get to the ledger. What is made up is the same in each run.
"""

import concurrent.futures
import datetime
import json
import os
import subprocess
import sys
import tempfile

from market import Client, Market, admin, join

# For each kind of user, how requests are made: from the examples of the description, at and past each of its limits, and by
# chance for as long as there is time.
PHASES = {"anyone": "examples,coverage", "member": "examples,coverage,fuzzing", "admin": "coverage"}
# Seconds for what is made by chance; the other phases run to their end.
BUDGET = 75
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]
# Streams have no end; and who signs out learns nothing more.
LEFT_OUT = ["GET /v1/events", "DELETE /v1/sessions"]


class Stage:
    """A market with something of each kind in it."""

    def __init__(self, market):
        self.market = market
        self.admin, self.member, other = admin(market), join(market, "member"), join(market, "other")
        me = self.admin.get("/v1/members/me")["address"]
        self.addresses = [me, self.member.address, other.address]
        charge = self.member.post("/v1/charges", {"amount": "900000"})["id"]
        self.admin.post(f"/v1/charges/{charge}/approve")
        waiting = self.member.post("/v1/charges", {"amount": "5"})["id"]
        withdrawal = self.member.post("/v1/withdrawals", {"amount": "9"})["id"]
        camera, sold = (other.post("/v1/listings", {"title": title, "price": "300"})["id"] for title in "ab")
        trade = self.member.post(f"/v1/listings/{sold}/buy")["id"]
        payment = self.member.post("/v1/payments", {"to": other.address, "amount": "50"})["id"]
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
        question = {"question": "?", "options": ["a", "b"], "closes_at": later.strftime("%Y-%m-%dT%H:%M:%SZ")}
        poll = other.post("/v1/polls", question)["id"]
        other.post("/v1/tokens", {"symbol": "SHOP", "name": "Shop shares"})
        other.post("/v1/tokens/SHOP/mint", {"to": self.member.address, "amount": "1000"})
        other.post("/v1/markets", {"base": "SHOP", "tick": "1", "lot": "1"})
        terms = {"market": "SHOP-POP", "side": "SELL", "price": "7", "quantity": "3"}
        order = self.member.post("/v1/orders", terms)["id"]
        role = self.admin.post(f"/v1/accounts/{other.address}/role", {"role": "arbiter"})["id"]
        # What stands between these parts of a path and the next slash.
        self.there = {
            "charges": [charge, waiting],
            "withdrawals": [withdrawal],
            "listings": [camera, sold],
            "trades": [trade],
            "payments": [payment],
            "polls": [poll],
            "tokens": ["SHOP"],
            "markets": ["SHOP-POP"],
            "orders": [order],
            "roles/changes": [role],
            "blocks": ["1", "2"],
            "transactions": [payment, trade],
            "accounts": self.addresses,
            "wallets": self.addresses,
        }

    def described(self):
        """The description, with what is there as an alternative for what could be."""
        document = Client(self.market).get("/openapi.json")
        for path, operations in document["paths"].items():
            room = path.removeprefix("/v1/").split("/{")[0]
            for operation in operations.values():
                for parameter in operation["parameters"]:
                    if parameter["in"] == "path" and room in self.there:
                        parameter["schema"] = {"anyOf": [{"enum": self.there[room]}, parameter["schema"]]}
        for schema in document["components"]["schemas"].values():
            for name, field in schema.get("properties", {}).items():
                # Only what is sent is closed to fields that it does not name.
                if schema.get("additionalProperties") is False and name in ("to", "spender"):
                    schema["properties"][name] = {"anyOf": [{"enum": self.addresses}, field]}
        # Nobody listens there, and nothing leaves this machine.
        document["components"]["schemas"]["NewWebhook"]["properties"]["url"]["example"] = "http://127.0.0.1:9/"
        return document


def run(stage, folder, who, token):
    """One kind of user. Returns what is said, and whether all is well."""
    description = os.path.join(folder, "openapi.json")
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    tool = [program, "run", description, "--url", f"http://{stage.market.address}"]
    options = ["--checks", ",".join(CHECKS), "--phases", PHASES[who], "--max-time", str(BUDGET)]
    options += ["--generation-deterministic", "--workers", "1"]
    options += ["--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all", "--no-color"]
    options += ["--no-shrink", "--generation-with-security-parameters", "false", "--request-timeout", "30"]
    for name in LEFT_OUT:
        options += ["--exclude-name", name]
    if token:
        options += ["--header", f"Authorization: Bearer {token}"]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    ended = subprocess.run(tool + options, cwd=folder, env=environment, text=True, **quiet)
    return who, ended.returncode == 0, ended.stdout


def main(program):
    with tempfile.TemporaryDirectory(prefix="popmarket-api-") as folder, Market(program) as market:
        stage = Stage(market)
        with open(os.path.join(folder, "openapi.json"), "w", encoding="utf-8") as file:
            json.dump(stage.described(), file)
        users = {"anyone": None, "member": stage.member.token, "admin": stage.admin.token}
        with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
            runs = [pool.submit(run, stage, folder, who, token) for who, token in users.items()]
            answers = [one.result() for one in runs]
        for who, well, said in answers:
            print(f"-- {who}: {'all is well' if well else 'FAILED'}\n{said if not well else said[-1500:]}")
        # It still works.
        assert Client(market).ask("GET", "/readyz")[0] == 200, "the market is not ready any more"
        if not all(well for _, well, _ in answers):
            sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
