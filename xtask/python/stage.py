"""A market with something of each kind in it, in each state that is reached quickly."""

import datetime
import json
import os
import subprocess

from market import LONG, join, official

ACCEPT = ("seller", "accept", None)
SHIP = ("seller", "ship", {"tracking": "CJ 1"})
ATTEST = ("courier", "attest", None)
CONFIRM = ("buyer", "confirm", None)
CANCEL = ("buyer", "cancel", None)
OFFER = ("seller", "split", {"to_buyer": "4000", "to_seller": "8000"})
DISPUTED = [SHIP, ("buyer", "dispute", {"reason": "another one"})]
REFUNDED = [*DISPUTED, ("arbiter", "resolve", {"ruling": "refund", "reason": "it is broken"})]
RETURNING = [*DISPUTED, ("arbiter", "resolve", {"ruling": "return", "reason": "send it back"})]
SENT_BACK = [*RETURNING, ("buyer", "return", {"tracking": "CJ 2"})]

# States of a trade, who does what until it is in one, and what the member can do then as its buyer or seller. Each has a
# trade of its own: what was tried first would leave none for the others.
TRADES = [
    ("FUNDED", [], {"buyer": ["cancel", "confirm"], "seller": ["accept", "hand-over", "cancel"]}),
    ("FUNDED", [("seller", "hand-over", {"code": "7-apples"})], {"buyer": ["collect"]}),
    ("ACCEPTED", [ACCEPT], {"buyer": ["cancel", "split"], "seller": ["ship"]}),
    ("ACCEPTED", [ACCEPT, CANCEL], {"seller": ["cancel", "ship"]}),
    ("SHIPPED", [SHIP], {"buyer": ["confirm", "extend", "split", "dispute"], "seller": ["split"]}),
    ("SHIPPED", [SHIP, ATTEST], {"buyer": ["confirm", "extend", "dispute"]}),
    ("SHIPPED", [SHIP, OFFER], {"buyer": ["accept-split"]}),
    ("DISPUTED", DISPUTED, {"buyer": ["evidence", "split"], "seller": ["evidence"]}),
    ("RETURNING", RETURNING, {"buyer": ["return"]}),
    ("RETURNING", SENT_BACK, {"seller": ["confirm-return", "dispute"]}),
    ("RETURNING", [*SENT_BACK, ATTEST], {"seller": ["confirm-return", "dispute"]}),
    ("RELEASED", [SHIP, CONFIRM], {"buyer": ["reviews"], "seller": ["reviews", "give-back"]}),
    ("REFUNDED", REFUNDED, {"buyer": ["reviews"], "seller": ["reviews"]}),
    ("SPLIT", [SHIP, OFFER, ("buyer", "accept-split", OFFER[2])], {"buyer": ["reviews"], "seller": ["reviews"]}),
    ("CANCELLED", [CANCEL], {"buyer": ["cancel"], "seller": ["cancel"]}),
]


def in_days(days):
    """A time to come."""
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Keys:
    """Keys that are not the market's, as somebody keeps them who has the program."""

    def __init__(self, market):
        self.market = market
        self.api = ["--api", f"http://{market.address}"]
        self.folder = os.path.join(market.folder, "wallets")
        self.passphrase = os.path.join(market.folder, "passphrase")
        with open(self.passphrase, "w", encoding="utf-8") as file:
            file.write("correct horse\n")

    def new(self, name, account):
        """One with the proof that it wants to be the account's."""
        self.run("wallet", "new", "--name", name)
        add = ["key", "add", name, "--other-passphrase-file", self.passphrase, "--wallet", name]
        plan = self.run("tx", *add, "--sender", account, "--dry-run", *self.api)
        operation = plan["body"]["operation"]["account"]["add_key"]
        return {"public_key": operation["public_key"], "proof": operation["proof"]}

    def registration(self, name):
        """What opens an account for a new one, signed and not sent, in hex."""
        self.run("wallet", "new", "--name", name)
        made = self.run("tx", "register", name, "--wallet", name, "--dry-run", *self.api)
        plan = os.path.join(self.market.folder, "plan.json")
        with open(plan, "w", encoding="utf-8") as file:
            json.dump(made, file)
        return self.run("wallet", "sign", plan, "--name", name)["transaction"]

    def run(self, *arguments):
        options = ["--json", "--keystore", self.folder, "--passphrase-file", self.passphrase]
        command = [self.market.program, *arguments, *options]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONG)
        assert ended.returncode == 0, f"{arguments}: {ended.stderr}"
        return json.loads(ended.stdout)


class Stage:
    """A member and an admin, all that they could come across, and others whose it is."""

    def __init__(self, market):
        self.market = market
        self.admin, self.second = official(market, "admin1"), official(market, "admin2")
        self.courier = official(market, "courier")
        self.arbiters = [official(market, name) for name in ("arbiter1", "arbiter2")]
        self.member, self.other, self.third = (join(market, name) for name in ("member", "other", "third"))
        self.bystander, self.stopped = (join(market, name) for name in ("bystander", "stopped"))
        self.addresses = [self.other.address, self.member.address, self.admin.address]
        # What stands for the parameter of a path: of all that begin like this, of this one, or of one method alone.
        self.there = {"blocks": ["1", "2"], "accounts": self.addresses, "wallets": self.addresses}
        # What fields of requests may hold.
        self.sent = {}
        for part in (self.money, self.trades, self.exchange, self.polls, self.keys, self.wishes, self.freezes):
            self.there |= part()
        self.there["transactions"] = [self.there["payments"][0], self.there["trades"][0]]

    def money(self):
        """Charges, withdrawals and payments: some are waiting, some are done."""
        charges = [self.member.post("/v1/charges", {"amount": amount})["id"] for amount in ("900000", "7", "6", "5")]
        self.admin.post(f"/v1/charges/{charges[0]}/approve")
        self.admin.post(f"/v1/charges/{charges[1]}/reject", {"reason": "no deposit"})
        self.member.post("/v1/payments", {"to": self.other.address, "amount": "300000"})
        withdrawals = [self.member.post("/v1/withdrawals", {"amount": "9"})["id"] for _ in range(4)]
        self.admin.post(f"/v1/withdrawals/{withdrawals[0]}/settle")
        self.member.post(f"/v1/withdrawals/{withdrawals[1]}/void", {"reason": "not now"})
        self.sent |= {"reference": ["ROOM-8"], "memo": ["thanks"]}
        paid = {"to": self.member.address, "amount": "5000"}
        held = {**paid, "hold_until": in_days(2)}
        payments = [self.other.post("/v1/payments", body)["id"] for body in (paid, held, held)]
        payments.append(self.member.post("/v1/payments", {**held, "to": self.other.address})["id"])
        return {
            "charges": charges,
            "charges/{id}/approve": [charges[2], charges[1]],
            "charges/{id}/reject": [charges[3], charges[1]],
            "withdrawals": withdrawals,
            "withdrawals/{id}/settle": [withdrawals[2], withdrawals[1]],
            "withdrawals/{id}/void": [withdrawals[3], withdrawals[1]],
            "payments": payments,
            "payments/{tx_id}/refund": payments[:1],
            "payments/{tx_id}/capture": [payments[1], payments[0]],
            "payments/{tx_id}/void": [payments[2], payments[0]],
        }

    def trades(self):
        """All that the member may have bought or sold, and things that nobody has bought."""
        listings = [self.listing(who) for who in (self.other, self.other, self.member, self.member)]
        self.sent |= {"title": ["Lamp"], "photos": [[]], "version": [None], "content_hash": [None]}
        trades, there = [], {}
        for state, steps, moves in TRADES:
            for side, actions in moves.items():
                for action in actions:
                    trades.append(self.trade(side, state, steps))
                    there.setdefault(f"trades/{{id}}/{action}", []).append(trades[-1])
        # Nothing can be done any more with one that is cancelled.
        for ids in there.values():
            ids.append(trades[-1])
        there["trades"] = trades
        there["listings"] = [*listings, self.member.get("/v1/trades?limit=1")["data"][0]["listing"]]
        there["listings/{id}/buy"] = listings[:2]
        there["PATCH listings/{id}"] = [listings[2], listings[1]]
        there["DELETE listings/{id}"] = [listings[3], listings[1]]
        return there

    def listing(self, seller):
        return seller.post("/v1/listings", {"title": "Film camera", "price": "12000"})["id"]

    def trade(self, side, state, steps):
        """One with the member on this side."""
        people = {"buyer": self.other, "seller": self.other, "courier": self.courier, side: self.member}
        trade = people["buyer"].post(f"/v1/listings/{self.listing(people['seller'])}/buy")["id"]
        for who, action, body in steps:
            people[who].post(f"/v1/trades/{trade}/{action}", body)
            if action == "dispute":
                drawn = self.member.get(f"/v1/trades/{trade}")["dispute"]["arbiter"]
                people["arbiter"] = next(arbiter for arbiter in self.arbiters if arbiter.address == drawn)
        is_in = self.member.get(f"/v1/trades/{trade}")["state"]
        assert is_in == state, f"{steps} led to {is_in}, not to {state}"
        return trade

    def exchange(self):
        """A token of another one's, where it is sold, and orders; and tokens of the member's own."""
        for who, symbol in ((self.other, "SHOP"), (self.member, "MINE"), (self.member, "GONE")):
            who.post("/v1/tokens", {"symbol": symbol, "name": "Shop shares"})
            who.post(f"/v1/tokens/{symbol}/mint", {"to": self.member.address, "amount": "100000"})
        self.other.post("/v1/markets", {"base": "SHOP", "tick": "1", "lot": "1"})
        terms = {"market": "SHOP-POP", "side": "SELL", "price": "700", "quantity": "30"}
        orders = [self.member.post("/v1/orders", terms)["id"] for _ in range(3)]
        self.sent |= {"kind": ["GTC", "IOC", "FOK", "POST_ONLY"], "until": [None]}
        return {
            "tokens": ["SHOP", "MINE"],
            "tokens/{symbol}/mint": ["MINE", "SHOP"],
            "tokens/{symbol}/hand-over": ["GONE", "SHOP"],
            "markets": ["SHOP-POP"],
            "orders": orders,
            "DELETE orders/{id}": orders[:1],
            "orders/{id}/reduce": orders[:2],
        }

    def polls(self):
        """An open one and a sealed one."""
        question = {"question": "?", "options": ["a", "b"], "closes_at": in_days(2), "changeable": True}
        sealed = {**question, "reveal_by": in_days(4)}
        polls = [self.other.post("/v1/polls", body)["id"] for body in (question, sealed)]
        self.sent |= {"poll": polls[:1], "options": [question["options"]], "voters": ["everyone"], "opens_at": [None]}
        self.sent |= {name: [sealed["closes_at"]] for name in ("closes_at", "hold_until")}
        self.sent["reveal_by"] = [sealed["reveal_by"]]
        return {"polls": polls}

    def keys(self):
        """Keys, those who bring accounts back and what they have begun, and a program that is told what happens."""
        keys = Keys(self.market)
        mine = [keys.new(name, self.member.address) for name in ("phone", "laptop", "next")]
        # What a request can be made from that adds one more. The market's own key is not there to be revoked: without it the
        # member could do nothing any more.
        self.next_key = mine.pop()
        for key in mine:
            self.member.post("/v1/members/me/keys", key)
        self.found = keys.new("found", self.other.address)
        recoveries = []
        for owner, guardians in ((self.member, [self.other]), (self.other, [self.third, self.member])):
            named = {"guardians": [guardian.address for guardian in guardians], "threshold": len(guardians)}
            owner.must("PUT", "/v1/members/me/guardians", {**named, "delay_seconds": 172_800})
            new = keys.new(f"new-{len(recoveries)}", owner.address)
            recoveries.append(guardians[0].post(f"/v1/accounts/{owner.address}/recoveries", new)["id"])
        hook = {"url": "http://127.0.0.1:9/", "events": ["payment."]}
        hooks = [self.member.post("/v1/webhooks", hook)["id"] for _ in range(2)]
        self.sent["guardians"] = [[self.other.address, self.admin.address]]
        self.sent["transaction"] = [keys.registration("newcomer")]
        # Of a file, of a vote, and what hides that.
        self.sent |= {name: ["ab" * 32] for name in ("hash", "commitment", "salt")}
        phone, laptop = (key["public_key"] for key in mine)
        return {
            "PATCH members/me/keys/{public_key}": [phone],
            "DELETE members/me/keys/{public_key}": [laptop],
            "recoveries": recoveries,
            "recoveries/{id}/agree": recoveries[::-1],
            "webhooks": hooks,
            "DELETE webhooks/{id}": hooks[1:],
        }

    def wishes(self):
        """What takes two admins: of each kind a wish of this admin's own, and others of the other one's."""
        path, role = f"/v1/accounts/{self.bystander.address}/role", {"role": "courier"}
        roles = [self.admin.post(path, role)["id"]]
        roles += [self.second.post(path, role)["id"] for _ in range(2)]
        # There is one at a time.
        policy = {"policy": {"per_charge": "100", "per_day": "200", "all_per_day": "2000", "min_charges": 1}}
        policies = [who.post("/v1/charges/policy", policy)["id"] for who in (self.admin, self.second)]
        # Nobody listens there; as the replicas of this market are in one process, nobody has to.
        edits = [{"action": "move", "id": id, "address": f"127.0.0.1:{id + 5}"} for id in (1, 2, 3)]
        changes = [self.admin.post("/v1/network/replicas", edits[0])["id"]]
        changes += [self.second.post("/v1/network/replicas", edit)["id"] for edit in edits[1:]]
        there = {"charges/policy": policies[::-1], "network/replicas": [0, 1, 2, 3]}
        for room, ids in (("roles/changes", roles), ("network/replicas/changes", changes)):
            there |= {room: ids, room + "/{id}/approve": [ids[1], ids[0]], room + "/{id}/reject": [ids[2], ids[0]]}
        return there

    def freezes(self):
        """Two accounts that nothing depends on: frozen ones do very little."""
        self.second.post(f"/v1/accounts/{self.stopped.address}/freeze", {"reason": "reported stolen"})
        frozen = [self.bystander.address, self.stopped.address]
        return {"accounts/{address}/freeze": frozen, "accounts/{address}/unfreeze": frozen}
