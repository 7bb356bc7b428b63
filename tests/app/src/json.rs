//! Text as a JSON string: the program links no serializer, so that it stays tiny.

/// Quotes `text` as JSON (RFC 8259, section 7).
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            sign if u32::from(sign) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(sign)));
            }
            sign => out.push(sign),
        }
    }
    out.push('"');
    out
}

/// A list of JSON strings.
pub fn list(texts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = texts.map(|text| quote(&text)).collect();
    format!("[{}]", parts.join(","))
}
