"""tidemill equals pandas on the three minimal shapes of file.

Makes random files of the shapes `visit_time,page_views,orders`, `transaction_time,amount` and
`delivery_time,cost`, aggregates them with pandas as users write it, runs tidemill over them, and
compares: counts and money to the last cent, other numbers to 1e-9 relative.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

tidemill = sys.argv[1]
checked = 0


def same(name, got, want, exact):
    global checked
    assert list(got.index) == list(want.index), f"{name}: other keys"
    for column in want.columns:
        a, b = got[column], want[column]
        assert (a.isna() == b.isna()).all(), f"{name}.{column}: other empty cells"
        a, b = a.dropna(), b.dropna()
        if column in exact:
            wrong = (a * 100).round().astype("int64") != (b * 100).round().astype("int64")
        else:
            wrong = (a - b).abs() > 1e-9 * b.abs().clip(lower=1e-12)
        assert not wrong.any(), f"{name}.{column}:\n{pd.DataFrame({'got': a, 'want': b})[wrong]}"
        checked += len(a)


def view(out, name, key):
    frame = pd.read_csv(out / f"{name}.csv")
    if key == "hour":
        frame[key] = pd.to_datetime(frame[key]).dt.tz_localize(None)
    return frame.set_index(key)


def times(rng, rows):
    start = pd.Timestamp("2026-01-29 20:00:00")
    seconds = np.sort(rng.integers(0, 5 * 86_400, rows)) + rng.integers(-900, 900, rows)
    return start + pd.to_timedelta(seconds, unit="s")


with tempfile.TemporaryDirectory() as folder:
    folder, rng = Path(folder), np.random.default_rng(7)
    out = folder / "out"
    n = 20_000
    behavior = pd.DataFrame({
        "visit_time": times(rng, n),
        "page_views": rng.integers(0, 30, n),
        "orders": rng.integers(0, 3, n),
    })
    transactions = pd.DataFrame({
        "transaction_time": times(rng, n),
        "amount": (rng.lognormal(3.5, 1.2, n)).round(2),
    })
    # An hour with a single sale: its variance is empty.
    transactions.loc[n] = [pd.Timestamp("2026-03-01 00:30:00"), 12.34]
    logistics = pd.DataFrame({
        "delivery_time": times(rng, n),
        "cost": (rng.gamma(3, 2.5, n)).round(2),
    })
    behavior.to_csv(folder / "user_behavior.csv", index=False)
    transactions.to_csv(folder / "transaction.csv", index=False)
    logistics.to_csv(folder / "logistics.csv", index=False)
    subprocess.run([
        tidemill, "run", "--quiet", "--workers", "2", "--sink", f"csv:{out}",
        "--source", f"behavior={folder}/user_behavior.csv",
        "--source", f"transactions={folder}/transaction.csv",
        "--source", f"logistics={folder}/logistics.csv",
    ], check=True)

    t = behavior["visit_time"]
    by_hour = behavior.groupby(t.dt.floor("h")).agg(
        page_views=("page_views", "sum"), orders=("orders", "sum"))
    traffic = by_hour.copy()
    by_hour["conversion"] = by_hour["orders"] / by_hour["page_views"]
    same("hourly_behavior", view(out, "hourly_behavior", "hour"), by_hour, {"page_views", "orders"})
    same("behavior_by_hour_of_day", view(out, "behavior_by_hour_of_day", "hour_of_day"),
         behavior.groupby(t.dt.hour).agg(page_views=("page_views", "sum"), orders=("orders", "sum")),
         {"page_views", "orders"})

    t = transactions["transaction_time"]
    sales = transactions.groupby(t.dt.floor("h"))["amount"].agg(
        count="count", amount_sum="sum", amount_mean="mean", amount_median="median",
        amount_variance="var", amount_stddev="std")
    same("hourly_transactions", view(out, "hourly_transactions", "hour"), sales,
         {"count", "amount_sum"})
    same("transactions_by_hour_of_day", view(out, "transactions_by_hour_of_day", "hour_of_day"),
         transactions.groupby(t.dt.hour)["amount"].agg(count="count", amount_sum="sum"),
         {"count", "amount_sum"})

    t = logistics["delivery_time"]
    parcels = logistics.groupby(t.dt.floor("h"))["cost"].agg(
        deliveries="count", cost_sum="sum", cost_mean="mean")
    got = view(out, "hourly_logistics", "hour")
    assert got[[c for c in got if c.startswith("transit")]].isna().all().all()
    same("hourly_logistics", got, parcels, {"deliveries", "cost_sum"})
    of_day = logistics.groupby(t.dt.hour)["cost"].agg(deliveries="count", cost_sum="sum")
    of_day["delivery_minute_mean"] = t.dt.minute.groupby(t.dt.hour).mean()
    same("logistics_by_hour_of_day", view(out, "logistics_by_hour_of_day", "hour_of_day"), of_day,
         {"deliveries", "cost_sum"})

    def r(a, b):
        both = pd.concat([a, b], axis=1, join="inner")
        return len(both), both.iloc[:, 0].corr(both.iloc[:, 1])

    pairs = pd.DataFrame.from_dict({
        "orders~deliveries": r(traffic["orders"], parcels["deliveries"]),
        "page_views~amount": r(traffic["page_views"], sales["amount_sum"]),
        "page_views~orders": r(traffic["page_views"], traffic["orders"]),
    }, orient="index", columns=["n", "r"])
    same("hourly_correlation", view(out, "hourly_correlation", "pair"), pairs, {"n"})

print(f"pandas agrees: {checked} cells of 7 views")
