"""A Tickgate publisher in Python, written from docs/bus.md and its script: pip install redis msgpack.

    python3 examples/publisher.py redis://127.0.0.1:6379 PY:BTC-USD PY:ETH-USD
"""
import random, struct, sys, time, zlib
from pathlib import Path
import msgpack, redis

SHARDS, PREFIX, FEED = 2, "tickgate", "python"  # SHARDS and PREFIX as the gateways have them
script = (Path(__file__).parent.parent / "docs/bus/write.lua").read_text()
bus = redis.Redis.from_url(sys.argv[1])
write = bus.register_script(script)
epoch = int(time.time() * 1000)  # no lease: this publisher runs once
micros = lambda: time.time_ns() // 1000


class Shard:
    def __init__(self, index):
        self.hash, self.channel, self.number = f"{PREFIX}:{{{index}}}:last", f"{PREFIX}:{{{index}}}:ticks", 0

    def write(self, records):
        """One batch; without records it is a heartbeat."""
        self.number += 1
        packed = [b"\xdc\x00\x10" + b"".join(map(msgpack.packb, record)) for record in records]
        head = b"\x97" + b"".join(map(msgpack.packb, [1, FEED, epoch, self.number, micros(), SHARDS]))
        head += struct.pack(">BH", 0xDC, len(packed))
        lengths = b"".join(struct.pack(">H", len(record)) for record in packed)
        prefix = b"\x93" + msgpack.packb(FEED) + msgpack.packb(epoch)
        args = ["PUBLISH", FEED, epoch, self.number, head + b"".join(packed), len(head), lengths, prefix]
        written, mark = write(keys=[self.hash, self.channel], args=args)
        if not written:
            sys.exit(f"another publisher leads the feed: {mark}")


groups = {}  # the symbols of each shard
for symbol in sys.argv[2:]:
    groups.setdefault(zlib.crc32(symbol.encode()) % SHARDS, []).append(symbol)
shards = {index: Shard(index) for index in groups}
seq, price = dict.fromkeys(sys.argv[2:], 0), dict.fromkeys(sys.argv[2:], 100.0)
while True:
    for index, symbols in groups.items():
        records = []
        for symbol in symbols:
            seq[symbol] += 1
            price[symbol] = last = round(price[symbol] + random.uniform(-0.5, 0.5), 2)
            values = [last - 0.01, 5, last + 0.01, 7, last, 1, None, None, None, 12.5]
            records.append([symbol, seq[symbol], micros(), 0, 0, "", *values])
        shards[index].write(records)
    time.sleep(0.25)
