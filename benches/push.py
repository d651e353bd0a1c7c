#!/usr/bin/env python3
"""Events over HTTP under load: how long acknowledgements take, and whether each event counts once.

    python3 benches/push.py target/release/tidemill [--rate 20000] [--seconds 30] [--kill] [--flood] [--visible]

Sends batches of 100 payments without ids at a steady rate (open loop: what is late is counted from when it
was due), waits until all that was acknowledged is in the view, and holds the counts against each other.
With --kill the run is killed in the middle and started again; with --flood as much is sent as goes; with
--visible it is measured how long a click takes from being sent to being in a view that is asked for.
"""
import argparse, http.client, json, os, re, resource, shutil, signal, subprocess, sys, tempfile, threading, time

BATCH, SENDERS = 100, 8
parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--rate", type=int, default=20_000)
parser.add_argument("--seconds", type=int, default=30)
parser.add_argument("--queries", default="")
parser.add_argument("--kill", action="store_true")
parser.add_argument("--flood", action="store_true")
parser.add_argument("--visible", action="store_true")
args = parser.parse_args()
root = tempfile.mkdtemp(prefix="tidemill-push-")


class Run:
    def __init__(self):
        query = ["--query", args.queries] if args.queries else []
        command = [args.program, "run", "--push", "transactions,behavior", "--serve", "127.0.0.1:0", "--state", f"{root}/state", *query]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
            if found:
                self.port = int(found.group(1))
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


run = Run()
lock, took, statuses, acknowledged = threading.Lock(), [], {}, 0
began = time.monotonic() + 0.5


def body(sender, number):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    one = '{"transaction_time":"%s","item_id":"i%d","user_id":"u%d","amount":1.25,"currency":"EUR"}'
    return "[" + ",".join(one % (now, (number * 7 + i) % 500, (sender * 31 + number + i) % 9000) for i in range(BATCH)) + "]"


def send(sender):
    global acknowledged
    connection, port = None, None
    every = BATCH * SENDERS / args.rate
    number = 0
    while True:
        due = began + every * number + every * sender / SENDERS
        if time.monotonic() > began + args.seconds:
            return
        if not args.flood:
            time.sleep(max(0, due - time.monotonic()))
        else:
            due = time.monotonic()
        data, key = body(sender, number), f"{sender}-{number}"
        while True:
            try:
                if connection is None or port != run.port:
                    port = run.port
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("POST", "/v1/events/transactions", data, {"Content-Type": "application/json", "Idempotency-Key": key})
                answer = connection.getresponse()
                text = answer.read()
                with lock:
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1
                if answer.status == 200:
                    told = json.loads(text)
                    with lock:
                        took.append(time.monotonic() - due)
                        acknowledged += told["accepted"] + told["duplicate"]
                    break
                if args.flood:
                    break
                time.sleep(0.05)
            except OSError:
                connection = None
                time.sleep(0.05)
            except http.client.HTTPException:
                connection = None
        number += 1


seen = []


def look():
    """One click after the other, each of a user of its own, and when the user is in the view."""
    connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=60)
    number = 0
    while time.monotonic() < began + args.seconds - 3:
        number += 1
        user, sent = f"seen{number}", time.monotonic()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        click = {"visit_time": now, "page_views": 1, "orders": 0, "user_id": user, "session_id": user, "event": "view_item", "item_id": "i1"}
        connection.request("POST", "/v1/events/behavior", json.dumps(click), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        while time.monotonic() < sent + 30:
            connection.request("GET", f"/v1/views/user_profile/{user}")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                break
            time.sleep(0.005)
        seen.append(time.monotonic() - sent)
        # Not in step with the ticks.
        time.sleep(0.137)


senders = [threading.Thread(target=send, args=(i,)) for i in range(SENDERS)]
if args.visible:
    senders.append(threading.Thread(target=look))
for sender in senders:
    sender.start()
if args.kill:
    time.sleep(args.seconds / 2)
    run.process.send_signal(signal.SIGKILL)
    run.process.wait()
    run = Run()
for sender in senders:
    sender.join()
over = time.monotonic()


def counted():
    connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=60)
    connection.request("GET", "/v1/views/hourly_transactions")
    return sum(row["count"] for row in json.loads(connection.getresponse().read())["rows"])


count = 0
while count < acknowledged and time.monotonic() < over + 120:
    time.sleep(0.1)
    count = counted()
visible = time.monotonic() - over
time.sleep(2.5)
count = counted()
took.sort()
at = lambda share: took[min(len(took) - 1, int(len(took) * share))] * 1e3
print(f"{acknowledged:,} events acknowledged in {over - began:.1f} s: {acknowledged / (over - began):,.0f}/s")
print(f"acknowledgement of a batch of {BATCH}: p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, most {took[-1] * 1e3:.0f} ms")
if seen:
    seen.sort()
    part = lambda share: seen[min(len(seen) - 1, int(len(seen) * share))]
    print(f"from sent to seen in a view ({len(seen)} clicks): p50 {part(0.5):.2f} s, p99 {part(0.99):.2f} s")
print(f"statuses {statuses}; all visible {visible:.1f} s after the last; peak memory {run.memory()} MB")
run.process.send_signal(signal.SIGINT)
run.process.wait()
shutil.rmtree(root)
print(f"{count:,} counted: {'each once' if count == acknowledged else 'WRONG'}")
sys.exit(0 if count == acknowledged else 1)
