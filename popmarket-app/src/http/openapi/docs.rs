//! The description of the API in the order in which people read it. What it means is HTML already.

use serde_json::{Map, Value};

use crate::http::code::Code;

/// The order in which things are done.
const ORDER: [&str; 14] = [
    "members",
    "wallets",
    "keys",
    "charges",
    "withdrawals",
    "listings",
    "trades",
    "payments",
    "tokens",
    "exchange",
    "polls",
    "webhooks",
    "explorer",
    "network",
];

/// More values than these are not named one by one.
const MANY: usize = 20;

/// The description.
pub(crate) struct Docs {
    pub(crate) title: String,
    pub(crate) description: Vec<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) schemas: Vec<Schema>,
    pub(crate) codes: &'static [Code],
}

/// What belongs together.
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) operations: Vec<Operation>,
}

/// A route.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: String,
    pub(crate) description: Vec<String>,
    pub(crate) access: String,
    pub(crate) parameters: Vec<Row>,
    pub(crate) body: Option<String>,
    pub(crate) answers: Vec<Row>,
}

/// A type.
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) fields: Vec<Row>,
}

/// A line of a table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) kind: String,
    pub(crate) meaning: String,
}

impl Docs {
    /// From the description for programs.
    pub(super) fn of(document: &Value) -> Self {
        let mut tags: Vec<Tag> = Vec::new();
        for (path, methods) in entries(&document["paths"]) {
            for (method, operation) in entries(methods) {
                let name = text(&operation["tags"][0]);
                let operation = Operation::of(document, path, method, operation);
                match tags.iter_mut().find(|tag| tag.name == name) {
                    Some(tag) => tag.operations.push(operation),
                    None => tags.push(Tag { name, operations: vec![operation] }),
                }
            }
        }
        tags.sort_by_key(|tag| ORDER.iter().position(|name| *name == tag.name));
        Self {
            title: text(&document["info"]["title"]),
            description: paragraphs(&document["info"]["description"]),
            tags,
            schemas: entries(&document["components"]["schemas"]).map(Schema::of).collect(),
            codes: Code::ALL,
        }
    }
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let parameter = |parameter: &Value| Row {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: kind(&parameter["schema"]),
            meaning: html(&text(&parameter["description"])),
        };
        let answer = |(status, answer): (&String, &Value)| {
            let answer = resolved(document, answer);
            Row {
                name: status.clone(),
                place: String::new(),
                kind: content(&answer["content"]).unwrap_or_default(),
                meaning: html(&text(&answer["description"])),
            }
        };
        Self {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: html(&text(&operation["summary"])),
            description: paragraphs(&operation["description"]),
            access: format!("for {}", text(&operation["x-access"])),
            parameters: operation["parameters"].as_array().into_iter().flatten().map(parameter).collect(),
            body: content(&operation["requestBody"]["content"]),
            answers: entries(&operation["responses"]).map(answer).collect(),
        }
    }
}

impl Schema {
    fn of((name, schema): (&String, &Value)) -> Self {
        // What is flattened into a type stands beside its own fields.
        let parts = std::iter::once(schema).chain(schema["allOf"].as_array().into_iter().flatten());
        let fields = parts.flat_map(|part| entries(&part["properties"])).map(|(name, field)| Row {
            name: name.clone(),
            place: String::new(),
            kind: kind(field),
            meaning: html(&meaning(field)),
        });
        let mut fields: Vec<Row> = fields.collect();
        for part in schema["allOf"].as_array().into_iter().flatten().filter(|part| part.get("$ref").is_some())
        {
            let meaning = "and all of its fields".to_owned();
            fields.insert(0, Row { name: "...".to_owned(), place: String::new(), kind: kind(part), meaning });
        }
        Self { name: name.clone(), description: html(&text(&schema["description"])), fields }
    }
}

/// What is described elsewhere in the document.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn paragraphs(value: &Value) -> Vec<String> {
    value.as_str().unwrap_or_default().split("\n\n").filter(|text| !text.is_empty()).map(html).collect()
}

/// Text with code between backticks, as HTML.
fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let parts = escaped.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

/// What a field means: said of it, or of the one type that it has if it is there.
fn meaning(field: &Value) -> String {
    let alternatives = field["oneOf"].as_array().into_iter().flatten();
    let descriptions = std::iter::once(field).chain(alternatives).map(|schema| text(&schema["description"]));
    descriptions.into_iter().find(|description| !description.is_empty()).unwrap_or_default()
}

fn content(content: &Value) -> Option<String> {
    let one = |(content_type, body): (&String, &Value)| {
        let kind = kind(&body["schema"]);
        if content_type == "application/json" { kind } else { format!("{content_type}: {kind}") }
    };
    let all: Vec<String> = entries(content).map(one).collect();
    (!all.is_empty()).then(|| all.join(" or "))
}

/// A type in few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let alternatives = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array());
    if let Some(alternatives) = alternatives {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    // All codes of errors have a table of their own.
    if let Some(values) = schema["enum"].as_array().filter(|values| values.len() <= MANY) {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    };
    let name = names.join(" or ");
    match (schema["format"].as_str(), schema.get("items")) {
        (_, Some(items)) => name.replace("array", &format!("list of {}", kind(items))),
        (Some(format), _) => format!("{name} ({format})"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_are_code_and_the_rest_is_text() {
        assert_eq!(html("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
        assert_eq!(paragraphs(&Value::from("one\ntwo\n\nthree")), ["one\ntwo", "three"]);
    }
}
