//! What shops call things: names of columns for fields, and names of a list for those we know.
//!
//! All are written as [`plain`](super::plain) makes them: letters and digits, in lower case. Those
//! that come first are more likely meant.

use crate::event::Stream;

/// What a column of each field may be called, beside the field's own name. The first field of a
/// stream is its time.
pub fn columns(stream: Stream) -> &'static [(&'static str, &'static [&'static str])] {
    match stream {
        Stream::Transactions => TRANSACTIONS,
        Stream::Behavior => BEHAVIOR,
        Stream::Logistics => LOGISTICS,
        Stream::Catalog => CATALOG,
        Stream::Customers => CUSTOMERS,
        Stream::Ads | Stream::Logins | Stream::Inventory => &[],
    }
}

const TRANSACTIONS: &[(&str, &[&str])] = &[
    (
        "transaction_time",
        &[
            "paidat",
            "createdat",
            "createdutc",
            "orderdate",
            "orderedat",
            "purchasedat",
            "invoicedate",
            "paymentdate",
            "transactiondate",
            "timestamp",
            "datetime",
            "time",
            "date",
            "when",
            "created",
            "ts",
            "datum",
            "zeitpunkt",
            "bestelldatum",
        ],
    ),
    ("transaction_id", &["paymentid", "chargeid", "txid", "txnid", "belegnummer", "id"]),
    ("line_id", &["orderlineid", "lineitemid", "orderitemid", "lineno", "linenumber"]),
    (
        "order_id",
        &[
            "order",
            "ordernumber",
            "orderno",
            "ordername",
            "invoice",
            "invoiceno",
            "invoiceid",
            "invoicenumber",
            "bestellnummer",
            "bestellung",
            "rechnung",
            "rechnungsnummer",
            "basketid",
        ],
    ),
    (
        "user_id",
        &[
            "customerid",
            "customeremail",
            "user",
            "customer",
            "email",
            "client",
            "clientid",
            "buyerid",
            "buyer",
            "visitorid",
            "kundennummer",
            "kunde",
        ],
    ),
    (
        "item_id",
        &[
            "sku",
            "productid",
            "item",
            "product",
            "stockcode",
            "articleid",
            "article",
            "asin",
            "lineitemsku",
            "variantid",
            "artikelnummer",
            "artikel",
        ],
    ),
    ("quantity", &["qty", "units", "count", "lineitemquantity", "menge", "anzahl", "stueck"]),
    (
        "amount",
        &[
            "total",
            "ordertotal",
            "grandtotal",
            "totalprice",
            "totalamount",
            "paid",
            "sum",
            "revenue",
            "netsales",
            "paymentvalue",
            "value",
            "gross",
            "betrag",
            "summe",
            "umsatz",
        ],
    ),
    ("currency", &["currencycode", "ordercurrency", "waehrung", "währung"]),
    ("status", &["paymentstatus", "financialstatus", "orderstatus", "state", "zustand"]),
    ("card_id", &["cardfingerprint", "card"]),
    ("ip", &["ipaddress", "customeripaddress"]),
    ("device", &["devicecategory", "devicetype"]),
    ("country", &["countrycode", "billingcountry", "land"]),
    ("refers_to", &["refundof", "originaltransactionid", "originalpaymentid", "originalorderid"]),
    ("coupon", &["couponcode", "discountcode", "vouchercode", "gutscheincode"]),
    ("seller_id", &["seller", "vendorid"]),
    ("payment_method", &["paymenttype", "zahlungsart"]),
    ("card_bin", &["bin"]),
    ("card_country", &["cardissuecountry"]),
    ("ship_country", &["shippingcountry", "deliverycountry"]),
];

const BEHAVIOR: &[(&str, &[&str])] = &[
    (
        "visit_time",
        &[
            "eventtimestamp",
            "eventtime",
            "timestamp",
            "datetime",
            "time",
            "date",
            "createdat",
            "when",
            "ts",
            "zeitpunkt",
        ],
    ),
    ("event_id", &["messageid", "hitid"]),
    (
        "user_id",
        &[
            "userpseudoid",
            "visitorid",
            "customerid",
            "user",
            "clientid",
            "anonymousid",
            "fullvisitorid",
        ],
    ),
    ("session_id", &["session", "sid", "visitid", "gasessionid"]),
    ("event", &["eventname", "eventtype", "action", "behaviortype", "behavior", "type"]),
    ("item_id", &["productid", "item", "product", "sku"]),
    ("category", &["categoryid", "categorycode", "productcategory", "itemcategory", "kategorie"]),
    ("quantity", &["qty"]),
    ("price", &["unitprice", "itemprice", "preis"]),
    ("page_views", &["pageviews", "views"]),
    ("orders", &["purchases"]),
    ("device", &["devicecategory", "devicetype"]),
    ("ip", &["ipaddress"]),
    ("campaign", &["utmcampaign", "campaignname"]),
    ("country", &["countrycode", "land"]),
    ("anonymous_id", &["userpseudoid", "clientid", "fullvisitorid"]),
    ("order_id", &["transactionid", "ordernumber", "orderno"]),
    ("value", &["eventvalue", "revenue", "total"]),
    ("currency", &["currencycode"]),
    ("source", &["utmsource", "trafficsource"]),
    ("medium", &["utmmedium"]),
    ("referrer", &["referer", "pagereferrer"]),
    ("page_url", &["url", "pagelocation", "pageurl", "page"]),
    ("search_term", &["searchquery", "searchphrase", "query"]),
    ("browser", &["browsername", "useragentfamily"]),
    ("consent", &["analyticsconsent", "trackingconsent"]),
    ("experiment", &["experimentid", "experimentname", "abtest"]),
    ("variant", &["variationid", "variationname"]),
    ("is_bot", &["bot", "isrobot", "robot"]),
];

const LOGISTICS: &[(&str, &[&str])] = &[
    (
        "delivery_time",
        &[
            "deliveredat",
            "delivereddate",
            "deliverydate",
            "orderdeliveredcustomerdate",
            "checkpointtime",
            "updatedat",
            "timestamp",
            "time",
            "date",
            "zugestelltam",
        ],
    ),
    (
        "shipment_id",
        &["parcelid", "trackingnumber", "trackingid", "shipment", "parcel", "sendungsnummer"],
    ),
    ("order_id", &["order", "ordernumber", "orderno"]),
    ("carrier", &["courier", "shipper", "slug", "versender"]),
    ("region", &["destination", "state"]),
    ("warehouse", &["depot", "lager"]),
    ("ordered_time", &["orderedat", "orderdate", "orderpurchasetimestamp"]),
    (
        "shipped_time",
        &["shippedat", "shipdate", "shippeddate", "pickupdate", "orderdeliveredcarrierdate"],
    ),
    (
        "promised_time",
        &["promisedat", "promiseddate", "expecteddelivery", "eta", "orderestimateddeliverydate"],
    ),
    ("status", &["tag", "shipmentstatus", "deliverystatus"]),
    ("cost", &["shippingcost", "freight", "freightvalue", "versandkosten"]),
    ("kind", &["direction", "shipmentdirection", "parcelkind"]),
    ("substatus", &["subtag", "shipmentsubstatus"]),
    ("promised_from", &["promisedfromdate", "expecteddeliveryfrom", "etafrom"]),
    ("service", &["servicelevel", "shippingservice", "shipmenttype"]),
];

const CATALOG: &[(&str, &[&str])] = &[
    ("time", &["updatedat", "validfrom", "timestamp", "datetime", "date", "createdat", "ts"]),
    ("item_id", &["sku", "productid", "item", "product", "articleid", "artikelnummer", "id"]),
    ("category", &["categoryid", "productcategory", "producttype", "kategorie"]),
    ("price", &["unitprice", "saleprice", "listprice", "preis"]),
    ("cost", &["costperitem", "unitcost", "purchaseprice", "einkaufspreis"]),
    ("available", &["availability", "instock", "isavailable", "verfuegbar"]),
];

const CUSTOMERS: &[(&str, &[&str])] = &[
    ("time", &["updatedat", "timestamp", "datetime", "date", "ts"]),
    ("user_id", &["customerid", "customer", "user", "kundennummer", "id"]),
    ("anonymous_id", &["userpseudoid", "clientid", "visitorid"]),
    ("email_hash", &["emailsha256", "hashedemail"]),
    ("country", &["countrycode", "defaultaddresscountrycode", "land"]),
    ("consent", &["acceptsmarketing", "acceptsemailmarketing", "marketingconsent", "newsletter"]),
    ("created", &["createdat", "customersince", "registeredat", "signupdate", "kundeseit"]),
];

/// What a price of one piece may be called.
pub const PRICES: &[&str] =
    &["unitprice", "price", "itemprice", "lineitemprice", "einzelpreis", "preis"];

/// What names stand for, by the field they are of.
pub fn name_of(stream: Stream, field: &str, name: &str) -> Option<&'static str> {
    let lists: &[(&str, &[&str])] = match (stream, field) {
        (Stream::Behavior, "event") => EVENTS,
        (Stream::Transactions, "status") => PAYMENTS,
        (Stream::Logistics, "status") => PARCELS,
        _ => &[],
    };
    lists.iter().find(|(_, others)| others.contains(&name)).map(|(known, _)| *known)
}

const EVENTS: &[(&str, &[&str])] = &[
    ("page_view", &["page", "pageview", "screen", "visit"]),
    ("view_item", &["pv", "view", "viewitem", "productviewed", "click", "productview", "detail"]),
    ("view_item_list", &["viewitemlist", "productlistviewed", "impression"]),
    ("add_to_cart", &["cart", "addtocart", "productadded", "atc", "add"]),
    ("remove_from_cart", &["removefromcart", "productremoved", "remove"]),
    ("add_to_wishlist", &["fav", "favorite", "wishlist", "addtowishlist"]),
    ("begin_checkout", &["checkout", "checkoutstarted", "begincheckout"]),
    ("purchase", &["buy", "order", "transaction", "ordercompleted", "purchased", "kauf"]),
    ("refund", &["orderrefunded", "refunded"]),
    ("search", &["productssearched", "viewsearchresults"]),
];

const PAYMENTS: &[(&str, &[&str])] = &[
    (
        "captured",
        &[
            "paid",
            "completed",
            "complete",
            "succeeded",
            "success",
            "settled",
            "processing",
            "shipped",
            "delivered",
            "bezahlt",
            "abgeschlossen",
        ],
    ),
    ("authorized", &["authorised", "uncaptured", "requirescapture"]),
    ("cancelled", &["storniert"]),
    ("voided", &["void"]),
    ("partially_refunded", &["partiallyrefunded", "partialrefund"]),
    ("refunded", &["refund", "returned", "erstattet"]),
    ("chargeback", &["disputed", "dispute", "chargedback"]),
    ("pending", &["unpaid", "onhold", "offen"]),
    ("failed", &["declined", "expired"]),
];

const PARCELS: &[(&str, &[&str])] = &[
    ("Delivered", &["zugestellt"]),
    ("InTransit", &["shipped", "transit", "unterwegs"]),
    ("Pending", &["created", "processing", "approved"]),
    ("AttemptFail", &["failedattempt", "deliveryfailed"]),
    ("Exception", &["lost", "returned", "canceled", "cancelled"]),
];
