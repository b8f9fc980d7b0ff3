//! Strings that are never changed, in neither direction: what a provider has signed or encrypted for
//! itself, and the bytes of pictures, sounds and files. A provider refuses them after any change.

use super::document::{JsonDocument, JsonSort};
use memchr::memchr;

/// A shorter string is treated as text. Signatures and payloads have hundreds of bytes.
const MIN_OPAQUE_BYTES: usize = 64;
/// Where the head of a data URL ends.
const MAX_DATA_URL_HEAD: usize = 128;

/// Keys of what a provider has signed or encrypted for itself.
const SIGNATURE_KEYS: &[&[u8]] = &[
    b"encrypted_content",
    b"signature",
    b"thoughtSignature",
    b"thought_signature",
];
/// Keys of the format of a payload in the same object.
const FORMAT_KEYS: &[&[u8]] = &[b"format", b"media_type", b"mimeType", b"mime_type"];
/// Types of objects whose text is signed.
const SIGNED_TYPES: &[&[u8]] = &[b"reasoning.text", b"thinking"];
/// Types of objects whose data is encrypted.
const ENCRYPTED_TYPES: &[&[u8]] = &[b"reasoning.encrypted", b"redacted_thinking"];
/// How pictures, sounds and files begin, in base64: PNG, JPEG, GIF, RIFF (WebP, WAV), PDF, ZIP, Ogg,
/// MP3, FLAC.
const PAYLOAD_HEADS: &[&[u8]] = &[
    b"iVBORw0KGgo",
    b"/9j/",
    b"R0lGOD",
    b"UklGR",
    b"JVBERi0",
    b"UEsDB",
    b"T2dnUw",
    b"SUQz",
    b"ZkxhQ",
];

/// What is known of an object.
#[derive(Clone, Copy, Debug, Default)]
struct ObjectTraits {
    has_signed_type: bool,
    has_signature: bool,
    is_encrypted: bool,
    is_payload: bool,
}

/// For each leaf of a body, whether it must not be changed.
pub(super) fn opaque_leaves(document: &JsonDocument, bytes: &[u8]) -> Vec<bool> {
    let mut objects = vec![ObjectTraits::default(); document.containers.len()];
    for (index, leaf) in document.leaves.iter().enumerate() {
        let object = leaf.place.parent.and_then(|p| objects.get_mut(p));
        let (JsonSort::String, Some(object)) = (leaf.sort, object) else {
            continue;
        };
        let (key, text) = (document.key(bytes, leaf.place), document.text(bytes, index));
        if key == b"type" {
            object.has_signed_type |= SIGNED_TYPES.contains(&text);
            object.is_encrypted |= ENCRYPTED_TYPES.contains(&text);
        } else if SIGNATURE_KEYS.contains(&key) {
            object.has_signature |= !text.is_empty() && is_base64(text);
        } else if FORMAT_KEYS.contains(&key) {
            object.is_payload |= !is_text_format(text);
        }
    }
    let is_opaque = |(index, leaf): (usize, &super::document::JsonLeaf)| {
        if leaf.sort != JsonSort::String {
            return false;
        }
        let object = leaf.place.parent.and_then(|p| objects.get(p)).copied();
        let object = object.unwrap_or_default();
        if object.has_signed_type && object.has_signature || object.is_encrypted {
            return true;
        }
        let (key, text) = (document.key(bytes, leaf.place), document.text(bytes, index));
        let by_key = object.is_payload && key == b"data" || SIGNATURE_KEYS.contains(&key);
        is_payload(text) || by_key && text.len() >= MIN_OPAQUE_BYTES && is_base64(text)
    };
    document.leaves.iter().enumerate().map(is_opaque).collect()
}

/// Whether a string is the bytes of a picture, a sound or a file.
pub(super) fn is_payload(text: &[u8]) -> bool {
    text.len() >= MIN_OPAQUE_BYTES
        && (PAYLOAD_HEADS.iter().any(|head| text.starts_with(head)) && is_base64(text)
            || is_binary_data_url(text))
}

/// A URL that contains the bytes of a picture, a sound or a file, but not of a text.
fn is_binary_data_url(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"data:") else {
        return false;
    };
    let head = rest.get(..rest.len().min(MAX_DATA_URL_HEAD));
    let Some(comma) = memchr(b',', head.unwrap_or_default()) else {
        return false;
    };
    let (head, payload) = rest.split_at(comma);
    head.ends_with(b";base64")
        && !is_text_format(head)
        && is_base64(payload.get(1..).unwrap_or_default())
}

fn is_text_format(format: &[u8]) -> bool {
    [
        &b"text"[..],
        b"application/json",
        b"application/xml",
        b"json",
        b";",
    ]
    .iter()
    .any(|text| format.starts_with(text))
}

/// Whether there is nothing but base64. A slash may be escaped.
fn is_base64(text: &[u8]) -> bool {
    text.iter()
        .all(|b| b.is_ascii_alphanumeric() || b"+/=-_\\".contains(b))
}
