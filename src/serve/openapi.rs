//! `/v1/openapi.json`: what there is to ask, made of the table of routes.

use super::ask::{Ask, MOST, MOST_CSV};
use super::index::View;
use super::ingest;
use super::routes::{ROUTES, Route};
use crate::event::Stream;
use serde_json::{Map, Value, json};

/// The document, in OpenAPI 3.1.
pub fn document(views: &[View]) -> Value {
    let names: Vec<&str> = views.iter().map(|view| view.name).collect();
    let mut paths: Map<String, Value> =
        ROUTES.iter().map(|route| (route.path.into(), path(route, &names))).collect();
    paths.insert(format!("{}{{stream}}", ingest::PATH), events());
    paths.insert(format!("{}{{stream}}", ingest::HOOKS), hook());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tidemill",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The views of a run, each at the frontier that the answer tells: every \
                record stamped before it is in them, and no other.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn path(route: &Route, names: &[&str]) -> Value {
    let within = route.within.iter().map(|name| parameter(name, "path", names));
    let behind = route.parameters.iter().map(|name| parameter(name, "query", names));
    let parameters: Vec<Value> = within.chain(behind).collect();
    let (schema, mime) = route.gives;
    let schema = match schema {
        "Text" | "Events" => json!({"type": "string"}),
        name => json!({"$ref": format!("#/components/schemas/{name}")}),
    };
    let mut content = Map::from_iter([(mime.to_string(), json!({"schema": schema}))]);
    if route.parameters == Ask::PARAMETERS {
        content.insert("text/csv; charset=utf-8".into(), json!({"schema": {"type": "string"}}));
    }
    let problem = |about: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": about, "content": {"application/json": {"schema": schema}}})
    };
    let mut responses = Map::from_iter([
        ("200".into(), json!({"description": route.about, "content": content})),
        ("400".into(), problem("The request cannot be understood")),
        ("403".into(), problem("The page of another site asks")),
        ("421".into(), problem("Called by a name that is not known")),
        ("503".into(), problem("There is too much to do at the moment")),
    ]);
    if !route.open {
        responses.insert("401".into(), problem("The token is missing or another"));
    }
    if !route.within.is_empty() || route.parameters.contains(&"views") {
        responses.insert("404".into(), problem("There is no such view or row"));
    }
    if route.path == "/readyz" {
        let text = json!({"text/plain; charset=utf-8": {"schema": {"type": "string"}}});
        responses.insert("503".into(), json!({"description": "Not yet", "content": text}));
    }
    let mut get = json!({
        "summary": route.about,
        "operationId": route.path.trim_start_matches('/').replace(['/', '.'], "_").replace(['{', '}'], ""),
        "parameters": parameters,
        "responses": responses,
    });
    if !route.open {
        // Where no token is set none is asked for.
        get["security"] = json!([{}, {"token": []}]);
    }
    json!({"get": get})
}

/// Where events are sent.
fn events() -> Value {
    let answer = |about: &str| {
        let schema = json!({"$ref": "#/components/schemas/Taken"});
        json!({"description": about, "content": {"application/json": {"schema": schema}}})
    };
    let problem = |about: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": about, "content": {"application/json": {"schema": schema}}})
    };
    let event = json!({"type": "object"});
    let both = json!({"anyOf": [{"type": "array", "items": event}, event]});
    let text = json!({"schema": {"type": "string"}});
    let streams: Vec<&str> = Stream::ALL.iter().map(|stream| stream.name()).collect();
    json!({"post": {
        "summary": "Takes events of a stream (--push): they are on the disk when it answers",
        "operationId": "v1_events_stream",
        "security": [{}, {"token": []}],
        "parameters": [
            {"name": "stream", "in": "path", "required": true, "schema": {"enum": streams}},
            {"name": "Idempotency-Key", "in": "header", "required": false,
                "description": "A batch that is sent again with its key is accepted once",
                "schema": {"type": "string", "maxLength": 200}},
        ],
        "requestBody": {"required": true, "content": {
            "application/json": {"schema": both},
            "application/x-ndjson": text.clone(),
            "text/csv": text,
        }},
        "responses": {
            "200": answer("What was accepted, and what was not"),
            "422": {
                "description": "Nothing was accepted, or another batch had that Idempotency-Key",
                "content": {"application/json": {"schema": {"anyOf": [
                    {"$ref": "#/components/schemas/Taken"}, {"$ref": "#/components/schemas/Problem"}]}}},
            },
            "400": problem("The batch cannot be understood"),
            "401": problem("The token is missing or another"),
            "403": problem("The page of another site asks"),
            "404": problem("Events of this stream are not taken"),
            "413": problem("The batch is too large"),
            "415": problem("The batch is written in a way that is not known"),
            "421": problem("Called by a name that is not known"),
            "429": problem("More comes than can be taken"),
            "503": problem("The batch could not be written down"),
        },
    }})
}

/// Where webhooks are sent.
fn hook() -> Value {
    let problem = |about: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": about, "content": {"application/json": {"schema": schema}}})
    };
    let taken = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Taken"}}});
    let streams: Vec<&str> = Stream::ALL.iter().map(|stream| stream.name()).collect();
    json!({"post": {
        "summary": "Takes a webhook of Stripe, Shopify or AfterShip ([source.hook]), which its signature proves",
        "operationId": "v1_hooks_stream",
        "parameters": [
            {"name": "stream", "in": "path", "required": true, "schema": {"enum": streams}},
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "It is on the disk", "content": taken},
            "400": problem("It is no object of JSON"),
            "401": problem("The signature is missing, another or too old"),
            "403": problem("The page of another site asks"),
            "404": problem("No webhooks of this stream are taken"),
            "413": problem("It is too large"),
            "421": problem("Called by a name that is not known"),
            "422": problem("Another one had its id"),
            "429": problem("More comes than can be taken"),
            "503": problem("It could not be written down"),
        },
    }})
}

fn parameter(name: &str, place: &str, names: &[&str]) -> Value {
    let (about, schema) = match name {
        "name" => ("The view", json!({"type": "string", "examples": names})),
        "key" => (
            "The cells of the key columns in their order, with / between them",
            json!({"type": "string"}),
        ),
        "where" => (
            "Comparisons joined by and: hour >= 2026-01-05 and carrier = \"DHL\"; with =, !=, <, <=, >, >= and ~ (has in it)",
            json!({"type": "string", "maxLength": 4096}),
        ),
        "search" => ("A text that some cell has in it", json!({"type": "string"})),
        "order" => ("Columns; a minus before one: the greatest first", json!({"type": "string"})),
        "limit" => (
            "How many rows; up to 1000000 as CSV",
            json!({"type": "integer", "minimum": 1, "maximum": MOST_CSV}),
        ),
        "cursor" => {
            ("Where to go on: what `next` was of the page before", json!({"type": "string"}))
        }
        "format" => ("How it is written", json!({"type": "string", "enum": ["json", "csv"]})),
        "views" => (
            "Names of views",
            json!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": names}}),
        ),
        "last" => {
            ("The last rows of each", json!({"type": "integer", "minimum": 1, "maximum": MOST}))
        }
        "snapshot" => ("Whether the view is told as it is first", json!({"type": "boolean"})),
        _ => ("", json!({"type": "string"})),
    };
    let required = place == "path" || name == "views";
    let mut told = json!({"name": name, "in": place, "required": required, "description": about, "schema": schema});
    if name == "views" {
        // A list with commas.
        told["explode"] = false.into();
    }
    told
}

fn schemas() -> Value {
    let head = |more: Value| {
        let mut properties = json!({
            "frontier": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "Every record stamped before this time is in the answer; null before anything was sealed",
            },
            "ended": {"type": "boolean", "description": "The sources have ended, and everything is in the answer"},
            "version": {"type": "integer", "description": "Counts the states of this run"},
        });
        let mut required = vec!["frontier", "ended", "version"];
        if let (Some(all), Some(more)) = (properties.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
            required.extend(more.keys().map(String::as_str));
        }
        json!({"type": "object", "required": required, "properties": properties})
    };
    let row = json!({
        "type": "object",
        "description": "A cell for each column of the view, which /v1/views describes",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    });
    let rows = json!({"type": "array", "items": {"$ref": "#/components/schemas/Row"}});
    let column = json!({
        "type": "object",
        "required": ["name", "key", "kind", "optional", "about"],
        "properties": {
            "name": {"type": "string"},
            "key": {"type": "boolean", "description": "No two rows have the same key"},
            "kind": {"type": "string", "description": "What its cells are, with the unit"},
            "optional": {"type": "boolean", "description": "Whether a cell may be empty"},
            "about": {"type": "string"},
        },
    });
    let view = json!({
        "type": "object",
        "required": ["name", "area", "about", "rows", "columns"],
        "properties": {
            "name": {"type": "string"},
            "area": {"type": "string"},
            "about": {"type": "string"},
            "rows": {"type": "integer"},
            "columns": {"type": "array", "items": column},
        },
    });
    let one = json!({"type": "object", "properties": {"total": {"type": "integer"}, "rows": rows}});
    let (text, next) = (json!({"type": "string"}), json!({"type": ["string", "null"]}));
    json!({
        "Row": row,
        "Views": head(json!({"views": {"type": "array", "items": view}})),
        "Page": head(json!({"view": text, "total": {"type": "integer"}, "rows": rows, "next": next})),
        "One": head(json!({"view": text, "row": {"$ref": "#/components/schemas/Row"}})),
        "Snapshot": head(json!({"views": {"type": "object", "additionalProperties": one}})),
        "Status": head(json!({"run": {"type": "object"}})),
        "Document": {"type": "object"},
        "Taken": {
            "type": "object",
            "required": ["accepted", "duplicate", "rejected", "reasons"],
            "properties": {
                "accepted": {"type": "integer", "description": "Records that are on the disk now"},
                "duplicate": {"type": "integer", "description": "Records that were before, with this Idempotency-Key"},
                "rejected": {"type": "integer"},
                "reasons": {"type": "array", "maxItems": 100, "description": "Why, of the first of these", "items": {
                    "type": "object",
                    "required": ["record", "reason"],
                    "properties": {"record": {"type": "integer", "description": "Which one, from 0"}, "reason": text},
                }},
            },
        },
        "Problem": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {
                "type": "object",
                "required": ["what", "where", "do"],
                "properties": {"what": text, "where": text, "do": text},
            }},
        },
    })
}
