//! JSON of a stranger: its nesting is measured before anything recurses, its lists are cut off by an error.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{NESTING_MAX, OciError, excerpt};

/// Reads `bytes` as a `T`, or says why not.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, OciError> {
    if bytes.len() > limit {
        return Err(OciError::TooLarge { bytes: bytes.len(), limit });
    }
    if nesting(bytes) > NESTING_MAX {
        return Err(OciError::TooDeep { limit: NESTING_MAX });
    }
    serde_json::from_slice(bytes)
        .map_err(|error| OciError::Json { text: excerpt(&error.to_string()) })
}

/// How deep brackets nest, strings left out. Right for JSON; for anything else it only ends.
pub(super) fn nesting(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A list of at most `N` items; a longer one is an error, met at item `N` + 1. `null` is an empty one, as Go writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded<T, const N: usize>(pub Vec<T>);

impl<T, const N: usize> Default for Bounded<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Items<T, N> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {N} items")
            }
            fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
                Ok(Vec::new())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    if list.len() == N {
                        return Err(A::Error::custom(format_args!(
                            "a list of more than {N} items"
                        )));
                    }
                    list.push(item);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_any(Items::<T, N>(PhantomData)).map(Self)
    }
}

/// The keys of an object of at most `N`, in order, whatever stands beside them. `null` is an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys<const N: usize>(pub Vec<String>);

impl<'de, const N: usize> Deserialize<'de> for Keys<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for Object<N> {
            type Value = Vec<String>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of at most {N} keys")
            }
            fn visit_unit<E: Error>(self) -> Result<Vec<String>, E> {
                Ok(Vec::new())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
                let mut list = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if list.len() == N {
                        return Err(A::Error::custom(format_args!(
                            "an object of more than {N} keys"
                        )));
                    }
                    list.push(key);
                }
                list.sort_unstable();
                list.dedup();
                Ok(list)
            }
        }
        deserializer.deserialize_any(Object::<N>).map(Self)
    }
}
