// What each page shows. A panel whose view is not in the run is left out.

const DAY = 24;

/** Sums of columns, for figures that are made of them. */
const sum = (column) => (rows) => rows.reduce((all, row) => all + (row[column] ?? 0), 0);
const share = (part, whole) => (rows) => {
  const all = sum(whole)(rows);
  return all ? sum(part)(rows) / all : null;
};
const weighted = (column, weight) => (rows) => {
  const all = rows.filter((row) => row[column] != null);
  const weights = sum(weight)(all);
  return weights ? all.reduce((total, row) => total + row[column] * row[weight], 0) / weights : null;
};
const latest = (column) => (rows) => rows.at(-1)?.[column] ?? null;

/** The newest minutes of all streams. */
const STREAMS = { order: "-minute", limit: 2000 };

export const TABS = [
  {
    id: "now", name: "Now",
    tiles: [
      { title: "Revenue, 24 h", view: "hourly_transactions", of: sum("amount_sum"), kind: "money", hours: DAY },
      { title: "Orders, 24 h", view: "hourly_behavior", of: sum("orders"), hours: DAY },
      { title: "Conversion, 24 h", view: "hourly_behavior", of: share("orders", "page_views"), column: "conversion", hours: DAY },
      { title: "Active users, last hour", view: "active_users_hourly", of: latest("users"), hours: 1 },
      { title: "Delivered on time, 24 h", view: "delivery_performance", of: weighted("on_time", "delivered"), column: "on_time", hours: DAY },
      { title: "Payments in review, 24 h", view: "risk_decisions", count: (since) => `decision = review and time >= ${since}`, hours: DAY },
      { title: "Security alerts, 24 h", view: "security_alerts", count: (since) => `until >= ${since}`, hours: DAY },
      { title: "Parcels likely late", view: "sla_watch", count: () => "late_probability >= 0.5" },
    ],
    panels: [
      { title: "Revenue by hour", kind: "lines", view: "hourly_transactions", curves: { revenue: sum("amount_sum") }, money: true, hours: 72, past: true },
      { title: "Page views by hour", kind: "lines", view: "hourly_behavior", curves: { "page views": sum("page_views") }, hours: 72, past: true },
      { title: "Payments to review", kind: "rows", view: "risk_decisions", where: "decision = review", order: "-time", limit: 6, columns: ["time", "user_id", "amount", "reasons"] },
      { title: "Security alerts", kind: "rows", view: "security_alerts", order: "-until", limit: 6, columns: ["until", "kind", "subject"] },
      { title: "Hours out of the ordinary", kind: "rows", view: "anomalies", order: "-hour", limit: 6, columns: ["hour", "count", "count_median", "amount"] },
      { title: "Trending items", kind: "rows", view: "trending_items", order: "rank", limit: 6, columns: ["rank", "item_id", "recent", "ratio"] },
    ],
  },
  {
    id: "sales", name: "Sales",
    panels: [
      { title: "Revenue by hour", kind: "lines", view: "hourly_transactions", curves: { revenue: sum("amount_sum") }, money: true, hours: 7 * DAY, past: true },
      { title: "Sales by hour", kind: "lines", view: "hourly_transactions", curves: { sales: sum("count") }, hours: 7 * DAY, past: true },
      { title: "Mean and median amount", kind: "lines", view: "hourly_transactions", curves: { mean: latest("amount_mean"), median: latest("amount_median") }, money: true, hours: 72 },
      { title: "Revenue by hour of the day", kind: "columns", view: "transactions_by_hour_of_day", name: (row) => `${String(row.hour_of_day).padStart(2, "0")}:00`, value: "amount_sum" },
      { title: "Best items of the last hours", kind: "rows", view: "top_items_hourly", order: "-hour,rank", limit: 14 },
      { title: "Days of the shop", kind: "rows", view: "merchant_health", order: "-day", limit: 14, columns: ["day", "orders", "gmv", "aov", "refund_rate"] },
      { title: "Bought together", kind: "rows", view: "bought_together", order: "-lift", limit: 10, columns: ["item_a", "item_b", "baskets", "confidence_ab", "lift"] },
      { title: "Best customers", kind: "rows", view: "rfm_segments", order: "-amount", limit: 10, columns: ["user_id", "segment", "orders", "amount", "last_sale"] },
    ],
  },
  {
    id: "behaviour", name: "Behaviour",
    panels: [
      { title: "Funnel of the last 24 hours", kind: "funnel", view: "funnel_hourly", steps: ["sessions", "view_item", "add_to_cart", "begin_checkout", "purchase"], hours: DAY },
      { title: "Conversion by hour", kind: "lines", view: "funnel_hourly", curves: { conversion: latest("conversion") }, column: "conversion", hours: 72 },
      { title: "Active users by hour", kind: "lines", view: "active_users_hourly", curves: { users: latest("users") }, hours: 7 * DAY, past: true },
      { title: "Page views by hour of the day", kind: "columns", view: "behavior_by_hour_of_day", name: (row) => `${String(row.hour_of_day).padStart(2, "0")}:00`, value: "page_views" },
      { title: "Trending items", kind: "rows", view: "trending_items", order: "rank", limit: 12 },
      { title: "Carts left behind", kind: "rows", view: "cart_abandonment", order: "-last_cart", limit: 12, columns: ["last_cart", "user_id", "session_id", "events"] },
      { title: "Visits with the highest value", kind: "rows", view: "sessions", order: "-value", limit: 12, columns: ["start", "user_id", "events", "pages", "value"] },
      { title: "Most active users", kind: "rows", view: "user_profile", order: "-events", limit: 12, columns: ["user_id", "sessions", "buying_sessions", "value", "favourite_category"] },
    ],
  },
  {
    id: "risk", name: "Risk",
    panels: [
      { title: "Decisions on the last 1,000 payments", kind: "shares", view: "risk_decisions", by: "decision", order: "-time", limit: 1000 },
      { title: "Payments of a high amount", kind: "rows", view: "risk_decisions", where: "decision != approve", order: "-amount", limit: 6, columns: ["time", "user_id", "amount", "decision", "reasons"] },
      { title: "To review, newest first", kind: "rows", wide: true, view: "risk_decisions", where: "decision = review", order: "-time", limit: 15, columns: ["time", "transaction_id", "user_id", "amount", "reasons", "features"] },
      { title: "Declined, newest first", kind: "rows", wide: true, view: "risk_decisions", where: "decision = decline", order: "-time", limit: 15, columns: ["time", "transaction_id", "user_id", "amount", "reasons", "features"] },
      { title: "Security alerts", kind: "rows", view: "security_alerts", order: "-until", limit: 15, columns: ["until", "kind", "subject", "events", "distinct", "severity"] },
      { title: "Many payments within an hour", kind: "rows", view: "velocity", order: "-count_1h,-time", limit: 15, columns: ["time", "by", "key", "count_1h", "sum_1h", "count_24h"] },
    ],
  },
  {
    id: "logistics", name: "Logistics",
    panels: [
      { title: "Deliveries by hour", kind: "lines", view: "hourly_logistics", curves: { deliveries: sum("deliveries") }, hours: 7 * DAY, past: true },
      { title: "Minutes on the road", kind: "lines", view: "hourly_logistics", curves: { median: latest("transit_minutes_p50"), "95 %": latest("transit_minutes_p95") }, hours: 7 * DAY },
      { title: "On time by carrier", kind: "bars", view: "carrier_scorecard", name: (row) => row.carrier, value: "on_time", order: "rank" },
      { title: "Carriers", kind: "rows", view: "carrier_scorecard", order: "rank", limit: 12, columns: ["rank", "carrier", "delivered", "on_time", "late_minutes_p95", "cost_per_parcel"] },
      { title: "Parcels likely late", kind: "rows", view: "sla_watch", where: "late_probability >= 0.5", order: "-late_probability", limit: 12, columns: ["shipment_id", "carrier", "region", "status", "late", "late_probability"] },
      { title: "Carrier to choose by region", kind: "rows", view: "carrier_choice", limit: 20, columns: ["region", "carrier", "on_time", "cost_per_parcel", "candidates"] },
      { title: "Minutes in the warehouse", kind: "bars", view: "warehouse_dwell", name: (row) => row.warehouse, value: "dwell_minutes_p50" },
      { title: "Stock that runs out", kind: "rows", view: "inventory_alerts", order: "cover_days", where: "cover_days >= 0", limit: 12, columns: ["item_id", "warehouse", "on_hand", "sold", "cover_days"] },
    ],
  },
  {
    id: "ads", name: "Ads",
    panels: [
      { title: "Spend and revenue by hour", kind: "lines", view: "campaign_hourly", curves: { revenue: sum("revenue"), spend: sum("spend") }, money: true, hours: 72, each: 60 },
      { title: "Clicks per impression by hour", kind: "lines", view: "campaign_hourly", curves: { ctr: share("clicks", "impressions") }, column: "ctr", hours: 72, each: 60 },
      { title: "Spend by campaign, last 24 hours", kind: "groups", view: "campaign_hourly", by: "campaign_id", of: sum("spend"), money: true, hours: DAY, each: 60 },
      { title: "Revenue per spend by campaign, last 24 hours", kind: "groups", view: "campaign_hourly", by: "campaign_id", of: share("revenue", "spend"), hours: DAY, each: 60 },
      { title: "Attribution by model, in micros", kind: "rows", view: "attribution", order: "-conversions", limit: 15 },
      { title: "Shown too often", kind: "rows", view: "frequency_cap", where: "over = true", order: "-impressions", limit: 12, columns: ["day", "campaign_id", "user_id", "impressions"] },
      { title: "Who would be shown what", kind: "rows", view: "ad_targets", order: "-score", limit: 12 },
    ],
  },
  {
    id: "recommendations", name: "Recommendations",
    ask: [
      { name: "item", label: "Item", view: "similar_items", column: "item_id" },
      { name: "user", label: "User", view: "user_recommendations", column: "user_id" },
    ],
    panels: [
      { title: "Goes with the item", kind: "rows", view: "similar_items", where: ({ item }) => item && `item_id = ${quoted(item)}`, order: (state) => (state.item ? "rank" : "-weight"), limit: 12 },
      { title: "Recommended to the user", kind: "rows", view: "user_recommendations", where: ({ user }) => user && `user_id = ${quoted(user)}`, order: (state) => (state.user ? "rank" : "-score"), limit: 12 },
      { title: "Trending in each category", kind: "rows", view: "trending_for_category", where: "rank <= 3", limit: 30 },
      { title: "Bought together", kind: "rows", view: "frequent_itemsets", order: "-baskets", limit: 12 },
    ],
  },
  {
    id: "quality", name: "Data quality",
    panels: [
      { title: "Sources", kind: "sources", wide: true },
      { title: "Records in five minutes", kind: "streams", view: "stream_health", of: "events", ...STREAMS },
      { title: "Duplicates in five minutes", kind: "streams", view: "stream_health", of: "duplicates", ...STREAMS },
      { title: "Late records in five minutes", kind: "streams", view: "stream_health", of: "late", ...STREAMS },
      { title: "Worst delay in five minutes, ms", kind: "streams", view: "stream_health", of: "worst_delay", greatest: true, ...STREAMS },
      { title: "Streams, newest minutes", kind: "rows", wide: true, view: "stream_health", order: "-minute", limit: 18 },
    ],
  },
];

function quoted(text) {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}
