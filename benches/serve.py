#!/usr/bin/env python3
"""Serving under load, on this machine: reads per second and their 99th percentile while records come
in, subscribers that are told of every change, and readers that stall. Usage: serve.py TIDEMILL
[SECONDS] [SUBSCRIBERS]. Needs wrk. The program should be a release build."""

import asyncio
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

RATE = 5000
STALLED = 10
# How long a reader may leave unread what it is sent, in seconds, and some for the buffers to fill.
UNREAD = 20 + 60


class Run:
    """A run of all queries over the demo shop's files that serves its views."""

    def __init__(self, program, directory):
        files = {"behavior": "user_behavior", "transactions": "transaction", "logistics": "logistics",
                 "ads": "ads", "logins": "logins", "inventory": "inventory"}
        sources = [part for stream, file in files.items() for part in ("--source", f"{stream}={directory}/{file}.csv")]
        self.process = subprocess.Popen(
            [program, "run", "-q", "--serve", "127.0.0.1:0", "--rate", f"{RATE}/s", *sources],
            stderr=subprocess.PIPE, text=True, cwd=directory)
        line = self.process.stderr.readline()
        while "serving the views at " not in line:
            line = self.process.stderr.readline()
        self.url = line.split("serving the views at ")[1].strip()
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return answer.read().decode()

    def status(self):
        return json.loads(self.get("v1/status"))["run"]

    def figure(self, name):
        return float(re.search(rf"^tidemill_{name} (\S+)$", self.get("metrics"), re.M)[1])

    def memory(self):
        """Megabytes that the process has in memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def rate(self, seconds):
        """Records per second over some seconds."""
        begin, before = time.monotonic(), self.status()["records"]
        time.sleep(seconds)
        return (self.status()["records"] - before) / (time.monotonic() - begin)


def reads(run, name, path, seconds):
    """Reads as fast as they are answered, by 16 connections."""
    before, began = run.status()["records"], time.monotonic()
    told = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", run.url + path], capture_output=True, text=True, check=True).stdout
    came = (run.status()["records"] - before) / (time.monotonic() - began)
    second = re.search(r"Requests/sec:\s+(\S+)", told)[1]
    p99 = re.search(r"99%\s+(\S+)", told)[1]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    print(f"{name:<34} {float(second):>9,.0f}/s   p99 {p99:>8}   {came:>6,.0f} records/s came in"
          + (f"   {failed[1]} FAILED" if failed else ""), flush=True)


async def subscriber(run, path, counts, until):
    reader, writer = await asyncio.open_connection("127.0.0.1", run.port, limit=1 << 24)
    writer.write(f"GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    while time.monotonic() < until:
        try:
            line = await asyncio.wait_for(reader.readline(), until - time.monotonic() + 0.1)
        except asyncio.TimeoutError:
            break
        if not line:
            counts["lost"] += 1
            return
        counts["events"] += line.startswith(b"event: changes")
    writer.close()


async def subscribed(run, number, seconds):
    """Subscribers of an hourly view, and some of a large one that read nothing of it."""
    before, counts = run.memory(), {"events": 0, "lost": 0}
    stalled = []
    for _ in range(STALLED):
        reader, writer = await asyncio.open_connection("127.0.0.1", run.port, limit=1024)
        writer.transport.pause_reading()
        writer.write(b"GET /v1/views/velocity/subscribe HTTP/1.0\r\nHost: localhost\r\n\r\n")
        stalled.append((reader, writer))
    until = time.monotonic() + seconds
    path = "v1/views/hourly_behavior/subscribe"
    tasks = [asyncio.create_task(subscriber(run, path, counts, until)) for _ in range(number)]
    await asyncio.sleep(seconds / 2)
    told = await asyncio.to_thread(run.figure, "subscribers")
    await asyncio.gather(*tasks)
    print(f"{told:,.0f} subscribers for {seconds} s: {counts['events']:,} changes told, {counts['lost']} lost; "
          f"memory {before:,.0f} MB before, {run.memory():,.0f} MB after", flush=True)
    end = time.monotonic() + UNREAD
    while (dropped := await asyncio.to_thread(run.figure, "readers_dropped_total")) < STALLED and time.monotonic() < end:
        await asyncio.sleep(1)
    print(f"{dropped:,.0f} of {STALLED} stalled readers were dropped")
    for _, writer in stalled:
        writer.close()


if __name__ == "__main__":
    program = str(pathlib.Path(sys.argv[1]).absolute())
    seconds, number = (int(text) for text in (sys.argv[2:] + ["20", "2000"][len(sys.argv) - 2:]))
    with tempfile.TemporaryDirectory(prefix="tidemill-serve-") as directory:
        # Enough records for as long as it takes.
        events = RATE * (seconds * 6 + UNREAD) // 3 * 2
        subprocess.run([program, "generate", "--all", "-q", "--events", str(events), "--out", directory], check=True)
        run = Run(program, directory)
        try:
            while not run.status()["changes"]:
                time.sleep(0.2)
            print(f"{RATE}/s asked for, {run.rate(seconds):,.0f}/s come in while nobody reads", flush=True)
            first = json.loads(run.get("v1/views/hourly_behavior?limit=1"))["rows"][0]["hour"]
            reads(run, "one row by its key", f"v1/views/hourly_behavior/{first}", seconds)
            reads(run, "24 rows in another order", "v1/views/hourly_behavior?order=-hour&limit=24", seconds)
            reads(run, "the last day of two views", "v1/snapshot?views=hourly_behavior,hourly_transactions&last=24", seconds)
            asyncio.run(subscribed(run, number, seconds * 2))
        finally:
            run.process.kill()
            run.process.wait()
