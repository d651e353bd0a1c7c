# The commands of the project. `make test` is the one that must pass; it needs Rust, a C compiler
# and Python, and makes what else it needs itself (a virtual environment with pandas in target/, and
# chromium and PostgreSQL where they are missing and can be installed, and a broker from PyPI).

.PHONY: test fmt lint unit pandas page pictures bench bench-serve bench-push bench-check clean

CARGO ?= cargo
# nextest where it is there, cargo's own runner where it is not; doc examples run by cargo.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

# All that can be built is tested: also what is not built unless it is asked for.
FEATURES := --features kafka,tls

test: fmt lint unit pandas page

fmt:
	$(CARGO) fmt --check
	rustfmt --edition 2024 --check queries/*/*.rs

lint:
	$(CARGO) clippy --all-targets --quiet $(FEATURES) -- -D warnings
	$(CARGO) check --quiet
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --lib --quiet $(FEATURES)

unit: kafka postgres
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --no-fail-fast $(FEATURES)
	$(CARGO) test --doc --quiet $(FEATURES)
else
	$(CARGO) test --no-fail-fast $(FEATURES)
endif

# Against pandas itself, on the three minimal shapes of file.
pandas: target/venv/ready
	$(CARGO) build --quiet $(FEATURES)
	target/venv/bin/python tests/pandas_parity.py target/debug/tidemill

# The page in a real browser: what it shows, and that it says nothing to its console.
page: chromium
	$(CARGO) build --quiet $(FEATURES)
	python3 tests/page.py target/debug/tidemill

# The pictures of the README.
pictures: chromium
	$(CARGO) build --quiet $(FEATURES)
	python3 tests/page.py target/debug/tidemill --pictures .readme

# A broker that speaks Kafka's protocol, in target/.
.PHONY: kafka
kafka: target/kafka/ready

target/kafka/ready:
	python3 -m venv target/kafka || (apt-get update && apt-get install -y python3-venv && \
		python3 -m venv --clear target/kafka)
	target/kafka/bin/pip install --quiet --disable-pip-version-check noida-db==0.2.3
	ln -sf lib/$$(ls target/kafka/lib)/site-packages/noida_db/noida-db target/kafka/noida-db
	touch $@

# A server that tests start for themselves.
.PHONY: postgres
postgres:
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || (apt-get update && \
		apt-get install -y --no-install-recommends postgresql)

.PHONY: chromium
chromium:
	which chromium chromedriver >/dev/null || (apt-get update && \
		apt-get install -y --no-install-recommends chromium chromium-driver fonts-dejavu-core)

target/venv/ready: tests/requirements.txt
	python3 -m venv target/venv || (apt-get update && apt-get install -y python3-venv && \
		python3 -m venv --clear target/venv)
	target/venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@

# Speed against the hand-written loop: a 1 GB file is made once in target/.
bench:
	$(CARGO) bench --bench throughput

# Serving under load: reads per second and their 99th percentile, subscribers, stalled readers. Needs wrk.
bench-serve:
	$(CARGO) build --release --quiet
	python3 benches/serve.py target/release/tidemill

# Events over HTTP: how long acknowledgements take at 20,000 a second, and when they are seen.
bench-push:
	$(CARGO) build --release --quiet
	python3 benches/push.py target/release/tidemill
	python3 benches/push.py target/release/tidemill --kill
	python3 benches/push.py target/release/tidemill --rate 5000 --visible

# Instruction counts of small fixed runs against benches/instructions.tsv: fails when more than 5 %
# worse. ACCEPT=1 writes down the new ones. Needs valgrind; no part of `make test`.
bench-check:
	$(CARGO) build --release --quiet
	ACCEPT=$(ACCEPT) benches/check.sh

clean:
	$(CARGO) clean
