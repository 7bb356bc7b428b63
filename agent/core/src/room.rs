//! Room: the bytes that fetching an image will take on the engine's disk, told before any of them is taken.
//!
//! Promise: an estimate, and said to be one: no registry tells how large a gzipped layer is when unpacked. Layers that
//! the engine has are not counted; sums stop at the largest number instead of overflowing, whatever sizes a manifest
//! claims. An estimate that was too low is noticed while the download runs.
//! Distrusts: every size.

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::oci::Descriptor;

/// Unpacked size of a layer as tenths of its compressed size, where nothing better is known: gzip makes a third of
/// programs and libraries.
const USUAL_TENTHS: u64 = 30;
/// Least that a measured image may bring it down to: the next release may hold more text than this one.
const LEAST_TENTHS: u64 = 15;
/// Most that it may bring it up to: what is beyond that is mostly zeros, in one layer.
const MOST_TENTHS: u64 = 200;

/// How much larger layers become when they are unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Growth {
    tenths: u64,
}

impl Default for Growth {
    fn default() -> Self {
        Self { tenths: USUAL_TENTHS }
    }
}

impl Growth {
    /// As the engine has it of an image that it holds already (another release of the same app, say): bytes unpacked
    /// and bytes downloaded, and a quarter to spare. Null where one of both is not known.
    pub fn measured(unpacked: u64, downloaded: u64) -> Option<Self> {
        if unpacked == 0 || downloaded == 0 {
            return None;
        }
        let tenths = u128::from(unpacked) * 10 * 5 / 4 / u128::from(downloaded);
        let tenths = u64::try_from(tenths).unwrap_or(MOST_TENTHS);
        Some(Self { tenths: tenths.clamp(LEAST_TENTHS, MOST_TENTHS) })
    }

    fn of(self, bytes: u64) -> u64 {
        let grown = (u128::from(bytes) * u128::from(self.tenths)).div_ceil(10);
        u64::try_from(grown).unwrap_or(u64::MAX)
    }
}

/// One layer of an image, as manifest and config have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of its content, unpacked; null where the config does not say.
    pub content: Option<Digest>,
    /// Bytes that are downloaded for it.
    pub bytes: u64,
    /// It travels as it is: unpacked it has the same size.
    pub is_plain: bool,
}

/// Layers as the registry told of them. Where manifest and config do not agree on how many there are, none is known by
/// its content.
pub fn layers(descriptors: &[Descriptor], contents: &[Digest]) -> Vec<Layer> {
    let agrees = descriptors.len() == contents.len();
    let one = |(n, layer): (usize, &Descriptor)| Layer {
        content: contents.get(n).copied().filter(|_| agrees),
        bytes: layer.size,
        is_plain: layer.media_type.ends_with(".tar"),
    };
    descriptors.iter().enumerate().map(one).collect()
}

/// What an image will take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageRoom {
    /// Bytes downloaded, kept until they are unpacked.
    pub download: u64,
    /// Bytes unpacked, by estimate.
    pub unpacked: u64,
}

impl ImageRoom {
    /// Of layers, but for those that one of the images `held` begins with: engines share a layer only on top of the
    /// same ones. Each of `held` is a list of contents, the lowest first.
    pub fn of(layers: &[Layer], held: &[Vec<Digest>], growth: Growth) -> Self {
        let shared = held.iter().map(|image| shared(layers, image)).max().unwrap_or(0);
        let missing = layers.iter().skip(shared);
        missing.fold(Self::default(), |sum, layer| {
            let unpacked = if layer.is_plain { layer.bytes } else { growth.of(layer.bytes) };
            Self {
                download: sum.download.saturating_add(layer.bytes),
                unpacked: sum.unpacked.saturating_add(unpacked),
            }
        })
    }

    /// Of an image of which the sum of its layers alone is known.
    pub fn of_sum(download: u64, growth: Growth) -> Self {
        Self { download, unpacked: growth.of(download) }
    }

    /// The same, but at least `bytes` in all: what was seen counts for more than an estimate.
    #[must_use]
    pub fn at_least(self, bytes: u64) -> Self {
        Self { unpacked: self.unpacked.max(bytes.saturating_sub(self.download)), ..self }
    }

    /// Both.
    pub fn total(self) -> u64 {
        self.download.saturating_add(self.unpacked)
    }
}

fn shared(layers: &[Layer], image: &[Digest]) -> usize {
    layers.iter().zip(image).take_while(|(layer, held)| layer.content == Some(**held)).count()
}

#[cfg(test)]
mod tests;
