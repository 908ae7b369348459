"""Sends a real market requests that are made up from its own OpenAPI description, and holds the answers to it.

Usage: api.py PROGRAM

Each kind of user has a run of its own. What names something in a path is now and then something that is there, so that
requests get to the ledger. What is made up is the same in each run.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

from market import Client, Market
from stage import Stage

# For each kind of user, how requests are made: from the examples of the description, at and past each of its limits, and by
# chance for as long as there is time.
PHASES = {
    "admin who decides": "coverage",
    "anyone": "examples,coverage",
    "member": "examples,coverage,fuzzing",
    "admin": "coverage",
}
# Goes first, with these paths alone: a new wish takes the place of the one that was to be decided.
FIRST = "admin who decides"
DECISIONS = "/(policy|changes)/[{]id[}]/"
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
# What names an account, in a query and in what is sent.
ACCOUNTS = ["to", "owner", "spender", "account", "requester", "seller", "creator", "guarded_after"]


def known(values, schema):
    """A schema for what could be, with what is there as an alternative."""
    return {"anyOf": [{"enum": values}, schema]}


def described(stage):
    """The description, with what is there in it."""
    document = Client(stage.market).get("/openapi.json")
    for path, operations in document["paths"].items():
        whole = path.removeprefix("/v1/")
        for method, operation in operations.items():
            names = (f"{method.upper()} {whole}", whole, whole.split("/{")[0])
            there = next((stage.there[name] for name in names if name in stage.there), None)
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and there:
                    parameter["schema"] = known(there, parameter["schema"])
                if parameter["in"] == "query" and parameter["name"] in ACCOUNTS:
                    parameter["schema"] = known(stage.addresses, parameter["schema"])
    schemas = document["components"]["schemas"]
    fields = {**dict.fromkeys(ACCOUNTS, stage.addresses), **stage.sent}
    # The owner of tokens is the sender, unless somebody else lets the sender take them.
    fields["owner"] = [None]
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            # Only what is sent is closed to fields that it does not name. What has an example means something else.
            if schema.get("additionalProperties") is False and name in fields and "example" not in field:
                schema["properties"][name] = {**known(fields[name], field), "example": fields[name][0]}
    # Nobody listens there, and nothing leaves this machine.
    schemas["NewWebhook"]["properties"]["url"]["example"] = "http://127.0.0.1:9/"
    # A market and a token that are not there yet.
    schemas["NewMarket"]["properties"]["base"]["example"] = "MINE"
    schemas["NewToken"]["properties"]["symbol"]["example"] = "NEXT"
    # Nobody guesses a proof.
    for schema, key in (("NewKey", stage.next_key), ("NewRecovery", stage.found)):
        for name, value in key.items():
            schemas[schema]["properties"][name]["example"] = value
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
    if who == FIRST:
        options += ["--include-path-regex", DECISIONS]
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
            json.dump(described(stage), file)
        answers = [run(stage, folder, FIRST, stage.admin.token)]
        users = {"anyone": None, "member": stage.member.token, "admin": stage.admin.token}
        with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
            runs = [pool.submit(run, stage, folder, who, token) for who, token in users.items()]
            answers += [one.result() for one in runs]
        for who, well, said in answers:
            print(f"-- {who}: {'all is well' if well else 'FAILED'}\n{said if not well else said[-1500:]}")
        # It still works.
        assert Client(market).ask("GET", "/readyz")[0] == 200, "the market is not ready any more"
        if not all(well for _, well, _ in answers):
            sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
