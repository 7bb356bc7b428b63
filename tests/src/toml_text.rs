//! Definitions and settings as TOML text.

use serde_json::{Map, Value};

/// A document in the order in which it was written: keys, tables, lists of tables.
#[derive(Debug, Clone, Default)]
pub struct Document {
    top: Map<String, Value>,
    tables: Vec<(String, Map<String, Value>)>,
    lists: Vec<(String, Map<String, Value>)>,
}

impl Document {
    /// Sets a key above the first table.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.top.insert(key.to_owned(), value.into());
    }

    /// Sets a key of a table.
    pub fn set_in(&mut self, table: &str, key: &str, value: impl Into<Value>) {
        let at = match self.tables.iter().position(|(name, _)| name == table) {
            Some(at) => at,
            None => {
                self.tables.push((table.to_owned(), Map::new()));
                self.tables.len() - 1
            }
        };
        self.tables[at].1.insert(key.to_owned(), value.into());
    }

    /// Removes a key of a table, and the table when nothing else is in it.
    pub fn remove_in(&mut self, table: &str, key: &str) {
        for (name, map) in &mut self.tables {
            if name == table {
                map.remove(key);
            }
        }
        self.tables.retain(|(_, map)| !map.is_empty());
    }

    /// Removes a table.
    pub fn remove(&mut self, table: &str) {
        self.tables.retain(|(name, _)| name != table);
    }

    /// Adds an entry to a list of tables (`[[name]]`).
    pub fn push(&mut self, list: &str, entry: Value) {
        if let Value::Object(map) = entry {
            self.lists.push((list.to_owned(), map));
        }
    }

    /// As [`Document::push`], in place of all entries that the list has.
    pub fn replace(&mut self, list: &str, entry: Value) {
        self.lists.retain(|(name, _)| name != list);
        self.push(list, entry);
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut out = rows(&self.top);
        for (name, map) in &self.tables {
            out += &format!("\n[{name}]\n{}", rows(map));
        }
        for (name, map) in &self.lists {
            out += &format!("\n[[{name}]]\n{}", rows(map));
        }
        out
    }
}

fn rows(map: &Map<String, Value>) -> String {
    map.iter().map(|(key, value)| format!("{} = {}\n", name(key), inline(value))).collect()
}

/// A bare key where it may be one, else a quoted one.
fn name(key: &str) -> String {
    let is_bare = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-';
    match !key.is_empty() && key.chars().all(is_bare) {
        true => key.to_owned(),
        false => Value::from(key).to_string(),
    }
}

/// JSON's strings, numbers and booleans are TOML's too.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(inline).collect();
            format!("[{}]", parts.join(", "))
        }
        Value::Object(map) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{} = {}", name(key), inline(value));
            let parts: Vec<String> = map.iter().map(pair).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_written_with_keys_above_tables() {
        let mut document = Document::default();
        document.set_in("health", "http", json!({"port": 80, "path": "/"}));
        document.push("registry", json!({"host": "a:1", "plain_http": true}));
        document.set("after", json!(["tor"]));
        let want = "after = [\"tor\"]\n\n[health]\nhttp = { path = \"/\", port = 80 }\n\n\
                    [[registry]]\nhost = \"a:1\"\nplain_http = true\n";
        assert_eq!(document.text(), want);
    }
}
