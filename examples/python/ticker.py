"""Prices from a Tickgate gateway, one line per tick: pip install websockets msgpack.

    python3 ticker.py ws://127.0.0.1:8080/v1/stream SIM:S0000 'SIM:S001*'

A gateway that requires a token gets the one in the environment variable TICKGATE_TOKEN.
"""
import asyncio
import os
import random
import sys
import time

import msgpack
import websockets
from websockets.uri import parse_uri

TERMS = {"interval": 250, "fields": ["bid", "ask", "last"]}
FINAL = {1009, 4400, 4401, 4403}  # close codes after which reconnecting does not help
HELLO_TIME = 10  # seconds from the start of an attempt to the gateway's hello
FIRST_WAIT, LONGEST_WAIT = 0.5, 30  # seconds between attempts
LONGEST_RETRY_AFTER = 300  # the longest accepted retryAfter, seconds
LASTING = 10  # a connection of this length, seconds, resets the wait


def printable(text):
    """Replaces control and invisible characters, which texts from the gateway may contain."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def say(line):
    print(printable(line))


class Quote:
    """A symbol on one connection: its granted fields and its last seq."""

    def __init__(self, symbol, fields):
        self.symbol, self.fields, self.seq = symbol, fields, None

    def tick(self, seq, values):
        note = "snapshot" if self.seq is None else f"conflated={seq - self.seq - 1:.0f}"
        self.seq = seq
        shown = " ".join(f"{name}={'-' if value is None else value}" for name, value in zip(self.fields, values))
        say(f"{self.symbol} {shown} seq={seq:.0f} {note}")


class Session:
    """One connection. Handles are valid only on it."""

    def __init__(self, socket, symbols):
        self.socket, self.symbols = socket, symbols
        self.by_handle, self.by_symbol = {}, {}
        self.heartbeat = self.retry_after = None  # seconds
        self.greeted_at = time.monotonic()

    async def listen(self):
        """Reads messages until none arrives for three heartbeats. Raises ConnectionClosed."""
        silent = False
        while True:
            # Silent after two heartbeats, lost after the third.
            patience = self.heartbeat * (1 if silent else 2) if self.heartbeat else HELLO_TIME
            try:
                data = await asyncio.wait_for(self.socket.recv(), patience)
            except asyncio.TimeoutError:
                if silent or not self.heartbeat:
                    return "nothing heard from the gateway"
                silent = True
                say(f"nothing heard for {patience:.1f} s: all prices are stale")
                continue
            if silent:
                silent = False
                say("heard again")
            message = msgpack.unpackb(data)
            if isinstance(message, dict):
                await self.control(message)
            else:  # a data frame: [sentAt, [handle, seq, eventTime, value, …], …]
                for handle, seq, _event_time, *values in message[1:]:
                    self.by_handle[handle].tick(seq, values)

    async def control(self, message):
        op = message["op"]
        if op == "hello":
            self.heartbeat, self.greeted_at = message["heartbeat"] / 1000, time.monotonic()
            say(f"connected to {message['node']}")
            await self.socket.send(msgpack.packb({"op": "subscribe", "symbols": self.symbols, **TERMS}))
        elif op == "subscribed":  # the answer, or a part of it, and again when a pattern matches a new symbol
            for symbol, handle in message["symbols"]:
                self.by_handle[handle] = self.by_symbol[symbol] = Quote(symbol, message["fields"])
            for no in message["rejected"]:
                say(f"{no['symbol']} is not granted: {no['message']} ({no['code']})")
        elif op == "status":
            for symbol in message["symbols"]:
                say(f"{symbol} {message['state']}" + (f": {message['reason']}" if "reason" in message else ""))
                if message["state"] == "gap" and symbol in self.by_symbol:
                    self.by_symbol[symbol].seq = None  # across a gap, seq does not count conflated ticks
        elif op == "quality":
            say(f"updates are {message['state']}: one in {message['interval']} ms ({message['reason']})")
        elif op == "error":
            say(f"the gateway says {message['code']}: {message['message']}")
        elif op == "bye":
            self.retry_after = min(message["retryAfter"] / 1000, LONGEST_RETRY_AFTER)


async def follow(url, symbols):
    """Connects and reconnects until the gateway refuses the client."""
    attempts = 0
    token = os.environ.get("TICKGATE_TOKEN")
    # A token is offered as a second subprotocol, which the gateway never chooses.
    subprotocols = ["tickgate.v1.msgpack"] + ([f"bearer.{token}"] if token else [])
    while True:
        session = None
        try:
            # The gateway's heartbeats show that it is alive, so the library sends no pings.
            options = {"subprotocols": subprotocols, "ping_interval": None, "close_timeout": 1}
            async with websockets.connect(url, open_timeout=HELLO_TIME, **options) as socket:
                session = Session(socket, symbols)
                reason = await session.listen()
        except websockets.ConnectionClosed as closed:
            said = closed.rcvd  # the gateway's close frame, if one came
            reason = f"{said.reason or 'closed'} ({said.code})" if said else "the connection was cut"
            if said and said.code in FINAL:
                sys.exit(printable(f"the gateway refuses: {reason}"))
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            reason = str(error) or "no answer"
            # The status is in another place since version 13 of the library.
            if getattr(getattr(error, "response", error), "status_code", None) == 401:
                sys.exit(printable(f"the gateway refuses the token: {reason}"))
        heard = session is not None and session.heartbeat is not None
        if heard and time.monotonic() - session.greeted_at >= LASTING:
            attempts = 0
        if heard and session.retry_after is not None:
            wait = session.retry_after  # the gateway already spreads it
        else:
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2**attempts) * random.uniform(0.5, 1)
            attempts = min(attempts + 1, 10)
        what = "connection lost, all prices are stale" if heard else "no connection"
        say(f"{what}: {reason}; trying again in {wait:.1f} s")
        await asyncio.sleep(wait)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print("usage: python3 ticker.py URL SYMBOL…", file=sys.stderr)
        sys.exit(2)
    try:
        parse_uri(sys.argv[1])
    except (websockets.InvalidURI, ValueError):
        print(f"{sys.argv[1]} is no address of a gateway, such as ws://127.0.0.1:8080/v1/stream", file=sys.stderr)
        sys.exit(2)
    sys.stdout.reconfigure(line_buffering=True)
    try:
        asyncio.run(follow(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # the reader of the output has ended
        os._exit(0)
