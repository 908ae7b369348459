"""Receives the webhooks of a real market and verifies them with the reference library of Standard Webhooks.

Usage: webhooks.py PROGRAM
"""

import datetime
import http.server
import json
import sys
import threading
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from market import LONG, Market, admin, join

# What a receiver has to wait at least before it is asked again, in seconds.
FIRST_RETRY = 5


class Message:
    """What came."""

    def __init__(self, headers, body):
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body
        self.at = time.monotonic()
        # Whether the sender was told that it has come.
        self.acknowledged = False

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def event(self):
        return json.loads(self.body)

    def is_about(self, tx):
        return self.event["data"].get("tx") == tx


class Receiver:
    """Answers with 204, unless it is told otherwise."""

    def __init__(self):
        self.changed = threading.Condition()
        self.messages = []
        self.refuse = 0
        self.hold = False
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.take(Message(self.headers, body))
                try:
                    self.send_response(status)
                    self.end_headers()
                except OSError:
                    pass  # Whoever sent it is gone.

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/popmarket"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.let_go()
        self.server.shutdown()
        self.server.server_close()

    def take(self, message):
        """Writes down what came, and says what to answer."""
        with self.changed:
            self.messages.append(message)
            if self.hold:
                # No answer as long as the sender lives.
                self.changed.notify_all()
                self.changed.wait_for(lambda: not self.hold, LONG)
                return 500
            message.acknowledged = self.refuse == 0
            self.refuse = max(self.refuse - 1, 0)
            self.changed.notify_all()
            return 204 if message.acknowledged else 500

    def let_go(self):
        """Holds nothing any more."""
        with self.changed:
            self.hold = False
            self.changed.notify_all()

    def wait_for(self, what, found):
        """Waits until something is found among the messages, and returns it."""
        with self.changed:
            self.changed.wait_for(lambda: found(self.messages), LONG)
            result = found(self.messages)
            assert result, f"{what} did not come: {[(m.id, m.event['type']) for m in self.messages]}"
            return result

    def about(self, tx, times=1):
        """All that came about a transaction, once it came so often."""

        def found(messages):
            about = [message for message in messages if message.is_about(tx)]
            return len(about) >= times and about

        return self.wait_for(f"{tx}, {times} times", found)

    def acknowledged(self, tx):
        """All that came about a transaction, once its sender knows that it came."""

        def found(messages):
            about = [message for message in messages if message.is_about(tx)]
            return any(message.acknowledged for message in about) and about

        return self.wait_for(tx, found)


def holds(secret, message, body=None, **headers):
    """Whether the reference library takes a message for genuine, with some of it changed."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        said = Webhook(secret).verify(body or message.body, {**message.headers, **headers})
    except WebhookVerificationError:
        return False
    assert said == message.event
    return True


class Story:
    """Alice pays, buys and votes; Bob's program is told."""

    def __init__(self, market, receiver):
        self.market, self.receiver = market, receiver
        self.alice, self.bob = join(market, "alice"), join(market, "bob")
        charge = self.alice.post("/v1/charges", {"amount": "50000"})["id"]
        admin(market).post(f"/v1/charges/{charge}/approve")
        events = ["payment.", "trade.", "poll."]
        hook = {"url": receiver.url, "events": events, "everything": True}
        created = self.bob.post("/v1/webhooks", hook)
        self.hook, self.secret = created["id"], created["secret"]

    def pay(self, amount):
        return self.alice.post("/v1/payments", {"to": self.bob.address, "amount": str(amount)})["id"]

    def events_are_genuine(self):
        """Payments, trades and votes come, signed."""
        self.pay(300)
        listing = self.bob.post("/v1/listings", {"title": "Film camera", "price": "12000"})["id"]
        trade = self.alice.post(f"/v1/listings/{listing}/buy")["id"]
        self.bob.post(f"/v1/trades/{trade}/accept")
        tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        closes_at = tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ")
        question = {"question": "Which?", "options": ["this", "that"], "closes_at": closes_at}
        poll = self.bob.post("/v1/polls", question)["id"]
        self.alice.post(f"/v1/polls/{poll}/votes", {"choice": 1})
        wanted = {"payment.paid", "trade.opened", "trade.accepted", "poll.created", "poll.voted"}

        def all_came(messages):
            return wanted <= {message.event["type"] for message in messages} and list(messages)

        messages = self.receiver.wait_for(f"all of {wanted}", all_came)
        assert all(holds(self.secret, message) for message in messages)
        assert len({message.id for message in messages}) == len(messages), "an id came twice"

    def changes_are_seen(self):
        """A message of which anything was changed is refused."""
        message = self.receiver.messages[0]
        for place in range(len(message.body)):
            changed = bytearray(message.body)
            changed[place] ^= 1
            assert not holds(self.secret, message, bytes(changed)), f"byte {place}"
        timestamp = int(message.headers["webhook-timestamp"])
        assert not holds(self.secret, message, message.body + b" ")
        assert not holds(self.secret, message, webhook_id=message.id + "0")
        assert not holds(self.secret, message, webhook_timestamp=str(timestamp + 1))
        assert not holds(self.secret, message, webhook_signature="v1," + "A" * 43 + "=")
        assert not holds("whsec_" + "A" * 32, message)

    def what_failed_comes_again(self):
        """With the same id and the same bytes, not before its time; and two secrets sign after a new one was made."""
        self.receiver.refuse = 2
        refused = [self.pay(1), self.pay(2)]
        for tx in refused:
            assert not self.receiver.about(tx)[0].acknowledged
        old, new = self.secret, self.bob.post(f"/v1/webhooks/{self.hook}/secret")["secret"]
        assert old != new
        both = self.receiver.about(self.pay(3))
        for tx in refused:
            first, again = self.receiver.about(tx, 2)[:2]
            assert (first.id, first.body) == (again.id, again.body)
            assert again.at - first.at > FIRST_RETRY - 0.5, "it came again too soon"
            assert again.acknowledged and holds(old, first) and not holds(new, first)
            both.append(again)
        for message in both:
            assert len(message.headers["webhook-signature"].split(" ")) == 2
            assert holds(old, message) and holds(new, message)
            assert not holds(new, message, message.body + b" ")
        self.secret = new

    def nothing_is_lost(self):
        """The market is killed while deliveries are on their way, and others wait."""
        with self.receiver.changed:
            self.receiver.hold = True
        payments = [self.pay(10 + i) for i in range(6)]

        def two(messages):
            return sum(message.is_about(tx) for message in messages for tx in payments) >= 2

        self.receiver.wait_for("two payments", two)
        self.market.kill()
        self.receiver.let_go()
        self.market.start()
        twice = 0
        for tx in payments:
            about = self.receiver.acknowledged(tx)
            assert all(holds(self.secret, message) for message in about)
            assert len({(message.id, message.body) for message in about}) == 1, "two ids for one event"
            twice += len(about) > 1
        assert twice >= 2, "what nobody had acknowledged did not come again"


def main(program):
    with Receiver() as receiver, Market(program) as market:
        story = Story(market, receiver)
        parts = [story.events_are_genuine, story.changes_are_seen, story.what_failed_comes_again, story.nothing_is_lost]
        for part in parts:
            started = time.monotonic()
            part()
            print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)
        print(f"{len(receiver.messages)} messages, verified by the reference library")


if __name__ == "__main__":
    main(*sys.argv[1:])
