//! The part of a request behind its `?`.

/// A value as it was written, `%41` and `+` decoded.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(value).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Why a query is not understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum QueryError {
    /// A key nobody knows here.
    Unknown(String),
    /// A value that is none for its key.
    Value(&'static str, String),
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(key) => write!(f, "there is no \"{key}\" here"),
            Self::Value(key, value) => write!(f, "\"{value}\" is no {key}"),
        }
    }
}

/// Reads the values of `keys`, in their order; one that is not given is none, of one given twice the last counts.
pub(super) fn read<const N: usize>(
    query: Option<&str>,
    keys: [&'static str; N],
) -> Result<[Option<String>; N], QueryError> {
    let mut values = [const { None }; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
        let place = keys.iter().zip(&mut values).find(|(known, _)| **known == key);
        let Some((known, place)) = place else {
            return Err(QueryError::Unknown(key.chars().take(40).collect()));
        };
        let value = decoded(text).ok_or_else(|| bad(known, text))?;
        *place = Some(value);
    }
    Ok(values)
}

/// A value parsed; none stays none.
pub(super) fn parsed<T: std::str::FromStr>(
    key: &'static str,
    value: Option<String>,
) -> Result<Option<T>, QueryError> {
    value.map(|text| text.parse().map_err(|_| bad(key, &text))).transpose()
}

fn bad(key: &'static str, text: &str) -> QueryError {
    QueryError::Value(key, text.chars().take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_unknown_keys_told() {
        let some = |text: &str| Some(text.to_string());
        let cases = [
            (None, Ok([None, None])),
            (Some("a=1&b=x%3Ay+z"), Ok([some("1"), some("x:y z")])),
            (Some("&b&a=1&a=2"), Ok([some("2"), some("")])),
            (Some("c=1"), Err(QueryError::Unknown("c".into()))),
            (Some("a=%4"), Err(QueryError::Value("a", "%4".into()))),
            (Some("a=%ff"), Err(QueryError::Value("a", "%ff".into()))),
            (Some("a=%+1"), Err(QueryError::Value("a", "%+1".into()))),
        ];
        for (query, wanted) in cases {
            assert_eq!(read(query, ["a", "b"]), wanted, "{query:?}");
        }
        assert_eq!(parsed::<u64>("a", some("-1")), Err(QueryError::Value("a", "-1".into())));
    }
}
