//! The description of the API, made of the same list as the API.

use axum::http::StatusCode;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::endpoint::{Access, Content, Endpoint};

/// What may come of every request that needs a credential.
const ALWAYS: [StatusCode; 4] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

/// The OpenAPI 3.1 document.
pub(super) fn document(endpoints: Vec<Endpoint>) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        let method = endpoint.method.as_str().to_ascii_lowercase();
        path[method] = operation(endpoint, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ohia admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One-time passwords, certificates, requests, the audit trail and the state of an EST server.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

fn operation(endpoint: Endpoint, generator: &mut SchemaGenerator) -> Value {
    let is_open = endpoint.access == Access::Anybody;
    let security = if is_open { json!([]) } else { json!([{ "bearer": [] }, { "certificate": [] }]) };
    let mut parameters = path_parameters(endpoint.path);
    if let Some(query) = endpoint.query {
        parameters.extend(query_parameters(query(generator).to_value(), generator));
    }
    let always = if is_open { &ALWAYS[2..] } else { &ALWAYS[..] };
    let endpoint = endpoint.fails(always);
    let mut responses = Map::new();
    for (status, about, content) in &endpoint.answers {
        let body = match content {
            Content::Empty => json!({}),
            Content::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
            Content::Text(media_type) => json!({ *media_type: { "schema": { "type": "string" } } }),
        };
        let mut response = json!({ "description": about });
        if body.as_object().is_some_and(|body| !body.is_empty()) {
            response["content"] = body;
        }
        responses.insert(status.as_str().to_owned(), response);
    }
    let mut operation = json!({
        "operationId": operation_id(&endpoint),
        "summary": endpoint.about,
        "tags": [endpoint.path.trim_start_matches("/admin").split('/').nth(1).unwrap_or("admin")],
        "x-role": role(endpoint.access),
        "security": security,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some((schema, required)) = endpoint.body {
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": schema(generator) } } });
    }
    operation
}

fn role(access: Access) -> Value {
    match access {
        Access::Anybody => Value::Null,
        Access::Viewer => "viewer".into(),
        Access::Auditor => "auditor".into(),
        Access::Operator => "operator".into(),
    }
}

/// `get_admin_certs_serial`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let method = endpoint.method.as_str().to_ascii_lowercase();
    std::iter::once(method.as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name| {
        let schema = match name {
            "serial" => json!({ "type": "string", "pattern": SERIAL }),
            _ => json!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z._-]+$" }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    };
    names.map(parameter).collect()
}

/// Serial numbers, with or without `0x` and colons.
pub(super) const SERIAL: &str = "^(0[xX])?[0-9A-Fa-f]{1,2}(:?[0-9A-Fa-f]{2}){0,19}$";

/// Each property of the schema of a query is a parameter.
fn query_parameters(schema: Value, generator: &SchemaGenerator) -> Vec<Value> {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    let schema = name.and_then(|name| generator.definitions().get(name)).unwrap_or(&schema);
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        // A parameter is there or not; it is never null.
        if let Some(types) = schema["type"].as_array() {
            schema["type"] = types.iter().find(|name| *name != "null").cloned().unwrap_or_default();
        }
        json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": schema["description"] })
    };
    properties.map(parameter).collect()
}
