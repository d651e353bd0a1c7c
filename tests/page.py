#!/usr/bin/env python3
"""The page in a real browser: every part fills, news are seen without reloading, what comes from
the data is text, and what was asked for survives a reload. Usage: page.py TIDEMILL [--pictures DIR | --all-pictures DIR]

It speaks WebDriver itself, so it needs chromium and chromedriver and nothing else."""

import base64
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TABS = ["now", "sales", "behaviour", "risk", "logistics", "ads", "recommendations", "quality", "view"]
HOSTILE = '<img src=x onerror="window.hit=1">'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """A headless chromium."""

    def __init__(self, width=1280, height=900, dark=False):
        self.port = free_port()
        self.profile = tempfile.mkdtemp(prefix="tidemill-page-")
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        options = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        wait(lambda: self.ask("GET", "/status")["ready"], "chromedriver is ready")
        self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]
        self.size(width, height, dark)

    def size(self, width, height, dark):
        """The size of a window, which may be that of a phone, and the colours that are preferred."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", {"features": [feature]})

    def devtools(self, command, parameters):
        self.on("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def on(self, method, path, body=None):
        return self.ask(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.on("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self.on("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def picture(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.on("GET", "/screenshot")))

    def complaints(self):
        """What the browser has to say of the page: errors, and refusals by the policy."""
        entries = self.on("POST", "/se/log", {"type": "browser"})
        return [e["message"] for e in entries if e["level"] in ("SEVERE", "WARNING")]

    def close(self):
        try:
            self.on("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
            shutil.rmtree(self.profile, ignore_errors=True)


def wait(holds, what, seconds=60):
    """Waits until something holds, and gives it."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = holds()
            if found:
                return found
        except (OSError, KeyError):
            pass
        if time.monotonic() > end:
            raise SystemExit(f"page.py: never: {what}")
        time.sleep(0.1)


class Served:
    """A run that serves its views."""

    def __init__(self, program, arguments, text=""):
        self.run = subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            cwd=tempfile.mkdtemp(prefix="tidemill-page-"))
        self.write(text)
        for line in self.run.stderr:
            if "serving the views at " in line:
                self.url = line.split("serving the views at ")[1].strip()
                return
        raise SystemExit(f"page.py: {arguments} did not serve")

    def write(self, text):
        self.run.stdin.write(text)
        self.run.stdin.flush()

    def stop(self):
        self.run.send_signal(signal.SIGTERM)
        self.run.stdin.close()
        self.run.stderr.close()
        self.run.wait()

    def frontier(self):
        with urllib.request.urlopen(f"{self.url}v1/status", timeout=60) as answer:
            return json.load(answer)["frontier"] or ""


def settled(browser):
    """Waits until the page was filled."""
    wait(lambda: browser.run("return document.getElementById('main').dataset.ready"), "the page fills")


def check(holds, what):
    if not holds:
        raise SystemExit(f"page.py: not so: {what}")
    print(f"  {what}")


DEMO = ["demo", "--events", "60000", "--serve", "127.0.0.1:0", "--speed", "3600x"]
EMPTY = """return [...document.querySelectorAll('.card, .tile')].filter(card =>
    !card.querySelector('svg, table, .value, dl') || card.textContent.includes('…')).map(card => card.textContent.slice(0, 60))"""


def history(served):
    """Waits until the demo's history was read and it goes on."""
    begins = time.strftime("%Y-%m-%dT%H", time.gmtime())
    wait(lambda: served.frontier() >= begins, "the history is read", 300)


def every_part_fills(program):
    served = Served(program, DEMO)
    browser = Browser()
    try:
        history(served)
        for tab in TABS:
            browser.open(f"{served.url}?tab={tab}")
            settled(browser)
            left = wait_for_none(browser)
            check(not left, f"{tab}: every panel has something in it {left or ''}")
            wide = browser.run("return document.documentElement.scrollWidth - innerWidth")
            check(wide <= 0, f"{tab}: nothing stands over the edge")
        browser.size(360, 740, True)
        for tab in TABS:
            browser.open(f"{served.url}?tab={tab}")
            settled(browser)
            wide = browser.run("return document.documentElement.scrollWidth - 360")
            check(wide <= 0, f"{tab}: nothing stands over the edge of a phone")
        check(not (told := browser.complaints()), f"the browser has no complaint {told or ''}")
    finally:
        browser.close()
        served.stop()


def wait_for_none(browser):
    for _ in range(50):
        left = browser.run(EMPTY)
        if not left:
            return []
        time.sleep(0.1)
    return left


def news_are_seen(program):
    queries = "hourly_transactions,top_items_hourly,transactions_by_hour_of_day"
    served = Served(
        program,
        ["run", "-q", "--serve", "127.0.0.1:0", "--source", "transactions=-", "--time-format", "iso", "--query", queries],
        "transaction_id,transaction_time,item_id,amount\n1,2026-01-05T10:00:00Z,shoe,1.00\n2,2026-01-05T10:30:00Z,bag,2.00\n")
    browser = Browser()
    main = "return document.getElementById('main').textContent"
    try:
        browser.open(f"{served.url}?tab=view&view=hourly_transactions")
        wait(lambda: "1.00" in browser.run(main), "the first sale is shown")
        browser.run("window.same = true")
        served.write("3,2026-01-05T11:05:00Z,shoe,4321.25\n4,2026-01-05T11:30:00Z,bag,7.00\n")
        wait(lambda: "4,321.25" in browser.run(main), "a sale is seen without reloading")
        check(browser.run("return window.same"), "a new event changes a number without a reload")
        check(browser.run("return document.querySelectorAll('tr.fresh').length"), "the rows that changed are marked")
        name = HOSTILE.replace('"', '""')
        served.write(f'5,2026-01-05T12:00:00Z,"{name}",99.00\n6,2026-01-05T12:30:00Z,"{name}",1.00\n')
        browser.open(f"{served.url}?tab=view&view=top_items_hourly&order=-revenue")
        wait(lambda: HOSTILE in browser.run(main), "the hostile name is shown")
        check(not browser.run("return window.hit || document.querySelector('main img')"), "a name that is markup is text")
        set_input = """const input = document.querySelector(`form.ask [name=${arguments[0]}]`);
            input.value = arguments[1]; input.form.requestSubmit()"""
        rows = "return [...document.querySelectorAll('.rows tbody tr')].map(row => row.cells[2].textContent)"
        browser.run(set_input, "where", "item_id = bag")
        wait(lambda: browser.run(rows) and set(browser.run(rows)) == {"bag"}, "the filter holds")
        browser.on("POST", "/refresh", {})
        wait(lambda: browser.run(rows) and set(browser.run(rows)) == {"bag"}, "the filter holds after a reload")
        check(browser.run("return document.querySelector('[name=where]').value") == "item_id = bag", "filters survive a reload")
        browser.run(set_input, "where", "itm = bag")
        said = "return document.querySelector('[role=alert]:not([hidden])')?.textContent ?? ''"
        wait(lambda: "did you mean item_id?" in browser.run(said), "a wrong filter is told")
        # The browser tells of the answer 400, which was meant.
        told = [t for t in browser.complaints() if "400" not in t]
        check(not told, f"the browser has no complaint {told or ''}")
        version = browser.run("return document.getElementById('status').dataset.version")
        served.run.stdin.close()
        wait(lambda: "ended at" in browser.run("return document.getElementById('status').textContent"), "the end is told")
        check(browser.run("return document.getElementById('status').dataset.version") != version, "the end is told")
    finally:
        browser.close()
        served.stop()


def pictures(program, directory, tabs):
    """Two widths, light and dark."""
    served = Served(program, ["demo", "--events", "400000", "--serve", "127.0.0.1:0", "--speed", "60x"])
    try:
        history(served)
        for name, size, dark in LOOKS:
            browser = Browser(*size, dark)
            for tab in tabs.get(name, []):
                more = "&view=hourly_transactions&order=-hour" if tab == "view" else ""
                browser.open(f"{served.url}?tab={tab}{more}")
                settled(browser)
                wait_for_none(browser)
                browser.picture(f"{directory}/page-{name}-{tab}.png")
            browser.close()
    finally:
        served.stop()


LOOKS = [
    ("wide", (1280, 860), False),
    ("wide-dark", (1280, 860), True),
    ("phone", (390, 844), False),
    ("phone-dark", (390, 844), True),
]
README = {"wide": ["now"], "phone-dark": ["sales"]}

if __name__ == "__main__":
    program = str(pathlib.Path(sys.argv[1]).absolute())
    if sys.argv[2:3] == ["--pictures"]:
        pictures(program, sys.argv[3], README)
    elif sys.argv[2:3] == ["--all-pictures"]:
        pictures(program, sys.argv[3], {name: TABS for name, _, _ in LOOKS})
    else:
        news_are_seen(program)
        every_part_fills(program)
