"""An outside client that presents tokens: the protocol page, a WebSocket library, and tokens that it signs by itself.

Its argument is JSON: {subprotocol, secret, issuer, audience, urls: {required, optional, revocable, keys}, tokens}.
It prints a line for each thing that it has found as the protocol says, and `revoke SUBJECT` where that has to happen.
"""
import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time

import msgpack
import websockets

PATIENCE = 20  # seconds that an answer may take
TASK = json.loads(sys.argv[1])
SUBPROTOCOL, URLS = TASK["subprotocol"], TASK["urls"]
# The parameter has another name since version 14 of the library.
HEADERS = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(lifetime=600, key=None, algorithm="HS256", **claims):
    """A token (RFC 7519). A claim that is None is left out."""
    now = int(time.time())
    own = {"sub": "ann", "iss": TASK["issuer"], "aud": TASK["audience"], "iat": now, "exp": now + lifetime, **claims}
    own = {name: value for name, value in own.items() if value is not None}
    parts = [{"alg": algorithm, "typ": "JWT"}, own]
    text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    if algorithm == "none":
        return text + "."
    signature = hmac.new((key or TASK["secret"]).encode(), text.encode(), HASHES[algorithm]).digest()
    return f"{text}.{base64url(signature)}"


def found(name):
    print(name, flush=True)


class Client:
    """A connection, with the token in one of the three ways."""

    def __init__(self, url, token=None, way="header"):
        protocols = [SUBPROTOCOL] if token is None or way != "subprotocol" else [f"bearer.{token}", SUBPROTOCOL]
        headers = {"Authorization": f"Bearer {token}"} if token is not None and way == "header" else {}
        self.auth = token if way == "message" else None
        self.connecting = websockets.connect(url, subprotocols=protocols, open_timeout=PATIENCE, **{HEADERS: headers})
        self.count, self.ticks, self.kept = 0, [], []

    async def __aenter__(self):
        self.socket = await self.connecting.__aenter__()
        assert self.socket.subprotocol == SUBPROTOCOL, self.socket.subprotocol
        self.hello = await self.message("hello")
        if self.auth is not None:
            assert (await self.ask(op="auth", token=self.auth))["op"] == "authenticated"
        return self

    async def __aexit__(self, *thrown):
        await self.connecting.__aexit__(*thrown)

    async def say(self, message):
        await self.socket.send(json.dumps(message) if SUBPROTOCOL.endswith("json") else msgpack.packb(message))

    async def read(self):
        data = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        message = json.loads(data) if SUBPROTOCOL.endswith("json") else msgpack.unpackb(data)
        if isinstance(message, list):
            self.ticks += message[1:]
        else:
            self.kept.append(message)

    async def message(self, op, **members):
        """The next control message like that; those before it are kept."""
        while True:
            for message in self.kept:
                if message["op"] == op and all(message.get(name) == value for name, value in members.items()):
                    self.kept.remove(message)
                    return message
            await self.read()

    async def tick(self, handle, bid):
        while not any(tick[0] == handle and tick[3] == bid for tick in self.ticks):
            await self.read()

    async def ask(self, **command):
        """The answer to a command, by its id."""
        self.count += 1
        await self.say({**command, "id": self.count})
        while True:
            for message in self.kept:
                if message.get("id") == self.count:
                    self.kept.remove(message)
                    return message
            await self.read()

    async def subscribe(self, *symbols):
        answer = await self.ask(op="subscribe", symbols=list(symbols), interval=0, fields=["bid"])
        return dict(answer["symbols"]), {no["symbol"]: no["code"] for no in answer["rejected"]}

    async def closed(self):
        """The close code."""
        try:
            while True:
                await self.read()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code


async def status(url, token, way):
    """The HTTP status of a refused upgrade; 101 where it is accepted."""
    try:
        async with Client(url, token, way):
            return 101
    except websockets.InvalidHandshake as error:
        return getattr(error, "response", error).status_code


async def ways():
    for way in ["header", "subprotocol", "message"]:
        async with Client(URLS["required"], sign(), way) as client:
            assert client.hello["auth"] == "required"
            handles, rejected = await client.subscribe("PUB:A")
            assert rejected == {}
            await client.tick(handles["PUB:A"], 1)
        found(f"presented: {way}")


async def refusals():
    other = "another secret of 32 bytes or more, of nobody"
    now = int(time.time())
    wrong = {
        "key": sign(key=other),
        "algorithm none": sign(algorithm="none"),
        "algorithm HS512": sign(algorithm="HS512"),
        "audience": sign(aud="others"),
        "no audience": sign(aud=None),
        "issuer": sign(iss="https://others.example"),
        "no issuer": sign(iss=None),
        "expired": sign(lifetime=-600),
        "not yet valid": sign(nbf=now + 600),
        "no subject": sign(sub=None),
        "changed": sign().replace(".", ".e30", 1),
    }
    async with Client(URLS["required"]) as client:
        for name, token in wrong.items():
            for way in ["header", "subprotocol"]:
                assert await status(URLS["required"], token, way) == 401, (name, way)
            answer = await client.ask(op="auth", token=token)
            assert (answer["op"], answer["code"]) == ("error", "invalid_token"), (name, answer)
            assert token not in json.dumps(answer)
            found(f"refused: {name}")
        # Nothing of that has let it in.
        answer = await client.ask(op="subscribe", symbols=["PUB:A"])
        assert answer["code"] == "not_authenticated", answer


async def keys():
    tokens = dict(TASK["tokens"])
    async with Client(URLS["keys"], tokens.pop("good")) as client:
        assert "PUB:A" in (await client.subscribe("PUB:A"))[0]
    # Signed with the public key as if it were a secret (RFC 8725, 2.1).
    for name, key in tokens.items():
        assert await status(URLS["keys"], sign(key=key), "header") == 401, name
    assert await status(URLS["keys"], sign(algorithm="none"), "header") == 401
    found("refused: public key as a secret")


async def refresh():
    async with Client(URLS["required"], sign(lifetime=8)) as client:
        handles, _ = await client.subscribe("PUB:A")
        left = (await client.message("expiring"))["in"]
        assert 0 < left <= 8_000, left
        answer = await client.ask(op="auth", token=sign(sub="bob"))
        assert answer["code"] == "forbidden", answer
        found("another subject is forbidden")
        answer = await client.ask(op="auth", token=sign(lifetime=600))
        assert answer["op"] == "authenticated" and answer["subject"] == "ann", answer
        assert abs(answer["expires"] / 1e6 - time.time() - 600) < 60, answer
        await asyncio.sleep(left / 1000 + 1)  # nothing tells the end of a token that was replaced
        await client.ask(op="ping")
        again, _ = await client.subscribe("PUB:A")
        assert again == handles
        found("refreshed")


async def expiry():
    async with Client(URLS["required"], sign(lifetime=6)) as client:
        await client.subscribe("PUB:A")
        assert (await client.message("bye"))["code"] == 4401
        assert await client.closed() == 4401
        found("expired: bye and 4401")


async def downgrade():
    async with Client(URLS["optional"], sign(lifetime=8, roles=["desk"])) as client:
        handles, rejected = await client.subscribe("PUB:A", "DESK:A", "HIDDEN:A")
        assert set(handles) == {"PUB:A", "DESK:A"} and rejected == {"HIDDEN:A": "not_entitled"}, (handles, rejected)
        assert "DESK:A" in (await client.message("unsubscribed", reason="expired"))["symbols"]
        await client.ask(op="ping")
        assert (await client.subscribe("DESK:A"))[1] == {"DESK:A": "not_entitled"}
        found("expired: anonymous from then on")
    async with Client(URLS["optional"], sign(roles=["desk"])) as client:
        await client.subscribe("DESK:A")
        await client.ask(op="auth", token=sign(roles=["anonymous"]))
        assert (await client.message("unsubscribed", reason="not_entitled"))["symbols"] == ["DESK:A"]
        found("another token that allows less")


async def revoked():
    subject = f"eve-{SUBPROTOCOL}"
    token = sign(sub=subject)
    async with Client(URLS["revocable"], token) as client:
        found(f"revoke {subject}")
        assert (await client.message("bye"))["code"] == 4401
        assert await client.closed() == 4401
    for way in ["header", "subprotocol"]:
        assert await status(URLS["revocable"], token, way) == 401
    found("revoked")


async def late():
    async with Client(URLS["required"]) as client:
        assert (await client.message("bye"))["code"] == 4401
        assert await client.closed() == 4401
        found("no token within ten seconds")


async def main():
    await asyncio.gather(ways(), refusals(), keys(), refresh(), expiry(), downgrade(), revoked(), late())
    found("all")


asyncio.run(main())
