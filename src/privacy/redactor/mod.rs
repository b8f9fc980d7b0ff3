//! The redactor: finds private values according to the user's policy and replaces each by a
//! numbered placeholder.

#[cfg(test)]
mod tests;

use super::placeholders::{self, Placeholders};
use super::{Finding, Findings, KINDS, Kind, Raw, Redacted, RulesetId};
use crate::privacy::kind::PRIVATE;
use crate::privacy::policy::{AllowRule, BadPattern, Policy, compile_pattern};
use crate::privacy::scan::detector_state::{ManifestRegion, OpenManifest};
use crate::privacy::scan::{self, Match};
use crate::privacy::taught::TaughtTexts;
use regex::bytes::Regex;

/// A hash of this build's rules and of a policy.
fn ruleset_id(policy: &Policy) -> RulesetId {
    let all = format!("{} {policy:?}", env!("CHATBOT_RULES"));
    RulesetId(all.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// Finds and replaces private values according to a policy.
#[derive(Debug)]
pub struct Redactor {
    off: bool,
    /// Whether the judge looks for what no rule decides.
    judges: bool,
    disabled: Vec<Kind>,
    allowed: Vec<AllowRule>,
    own: Vec<(Kind, Regex)>,
    taught: Vec<TaughtTexts>,
    ruleset: RulesetId,
}

impl Redactor {
    /// Creates a redactor for a policy, or returns the first invalid pattern. Only the user's own
    /// patterns are compiled at run time.
    pub fn new(policy: &Policy) -> Result<Self, BadPattern> {
        let mut own = Vec::with_capacity(policy.patterns.len());
        for (kind, pattern) in &policy.patterns {
            let Some(kind) = Kind::custom(kind) else {
                return Err(BadPattern::new(
                    kind,
                    "is not a valid name for a kind: use at most 32 letters, digits and `_`",
                ));
            };
            let compiled = compile_pattern(pattern, pattern)?;
            if compiled.is_match(b"") {
                return Err(BadPattern::new(pattern, "matches the empty string"));
            }
            own.push((kind, compiled));
        }
        let mut disabled = Vec::with_capacity(policy.disable.len());
        for name in &policy.disable {
            let kind = Kind::custom(name).filter(|kind| {
                KINDS.iter().any(|(known, _)| kind == known) || own.iter().any(|(k, _)| k == kind)
            });
            let Some(kind) = kind else {
                return Err(BadPattern::new(name, "is not a known kind"));
            };
            disabled.push(kind);
        }
        let allowed = policy
            .allow
            .iter()
            .map(|entry| AllowRule::new(entry))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            off: policy.off,
            judges: !policy.rules_only,
            disabled,
            allowed,
            own,
            taught: TaughtTexts::parse(&policy.never)?,
            ruleset: ruleset_id(policy),
        })
    }

    /// The findings in any bytes, in order and without overlaps.
    #[must_use]
    pub fn findings(&self, bytes: &[u8]) -> Findings {
        let found = self
            .find_until_stable(bytes, &placeholders::placeholder_spans(bytes))
            .into_iter();
        Findings(found.map(|hit| Finding::new(hit, 0)).collect())
    }

    /// The findings in a text.
    #[must_use]
    pub fn findings_in(&self, text: &Raw) -> Findings {
        self.findings(text.0.as_bytes())
    }

    /// Replaces private values. Takes the text by value, so that only the redacted one remains.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the text is gone after: that is the promise"
    )]
    pub fn redact(&self, raw: Raw, table: &mut Placeholders) -> (Redacted, Findings) {
        let taken = placeholders::placeholder_spans(raw.0.as_bytes());
        for &(start, end) in &taken {
            table.reserve(raw.0.get(start..end).unwrap_or_default());
        }
        let mut findings = Findings::default();
        let mut out = String::with_capacity(raw.0.len());
        let mut from = 0;
        for hit in self.find_until_stable(raw.0.as_bytes(), &taken) {
            out.push_str(raw.0.get(from..hit.start).unwrap_or_default());
            from = hit.end;
            let finding = Finding::new(hit, 0);
            let value = raw.0.get(finding.start..finding.end).unwrap_or_default();
            out.push_str(&table.placeholder_for_finding(&finding, value));
            findings.0.push(finding);
        }
        out.push_str(raw.0.get(from..).unwrap_or_default());
        (
            Redacted {
                text: out,
                ruleset: self.ruleset,
            },
            findings,
        )
    }

    /// Redacts stored text again. If its mark shows that the same rules and policy were applied
    /// before, only the numbers of its placeholders are reserved, because another scan would find
    /// nothing.
    #[must_use]
    pub fn redact_stored(
        &self,
        mut raw: Raw,
        ruleset: Option<RulesetId>,
        table: &mut Placeholders,
    ) -> Redacted {
        if ruleset != Some(self.ruleset) {
            return self.redact(raw, table).0;
        }
        for (start, end) in placeholders::placeholder_spans(raw.0.as_bytes()) {
            table.reserve(raw.0.get(start..end).unwrap_or_default());
        }
        Redacted {
            text: std::mem::take(&mut *raw.0),
            ruleset: self.ruleset,
        }
    }

    /// Scans in rounds until a round finds nothing new. A placeholder changes the context of the
    /// words around it, and a text that was redacted must not change when it is redacted again. A
    /// later round scans only the surroundings of placeholders.
    ///
    /// Each round can only find more, so rounds end by themselves; the limit of eight bounds the
    /// time for a text made to need many. Texts that people write need one or two. After the eighth
    /// round the hits so far are returned: a value that only a ninth would find stays in the text.
    pub(super) fn find_until_stable(&self, bytes: &[u8], taken: &[(usize, usize)]) -> Vec<Match> {
        let mut hits = self.detect(bytes, taken);
        for _ in 0..8 {
            if hits.is_empty() {
                break;
            }
            let (left, seams) = with_placeholders(bytes, &hits);
            let parts = windows_around(&left, &seams);
            let more: Vec<Match> = parts
                .into_iter()
                .flat_map(|(from, to)| self.detect_in_windows(&left, from, to))
                .collect();
            if more.is_empty() {
                break;
            }
            hits.extend(more.into_iter().filter_map(|hit| {
                let (there, here) = *seams.get(
                    seams
                        .partition_point(|&(there, _)| there <= hit.start)
                        .checked_sub(1)?,
                )?;
                let start = here + (hit.start - there);
                Some(Match {
                    start,
                    end: start + (hit.end - hit.start),
                    ..hit
                })
            }));
            hits = scan::overlaps::resolve_overlaps(hits, &[]);
        }
        hits
    }

    /// Scans a part of a text. Drops hits that touch a cut, because their other half is missing.
    fn detect_in_windows(&self, text: &[u8], from: usize, to: usize) -> Vec<Match> {
        let part = text.get(from..to).unwrap_or_default();
        let mut hits = self.detect(part, &placeholders::placeholder_spans(part));
        hits.retain(|hit| {
            (from == 0 || hit.start >= CUT_MARGIN)
                && (to == text.len() || hit.end + CUT_MARGIN <= part.len())
        });
        for hit in &mut hits {
            hit.start += from;
            hit.end += from;
        }
        hits
    }

    /// The hits in bytes that already contain placeholders at the `taken` positions.
    pub(super) fn detect(&self, bytes: &[u8], taken: &[(usize, usize)]) -> Vec<Match> {
        self.detect_from(bytes, taken, None).0
    }

    /// The hits in a part of a stream, where a manifest may be open at a position, and the
    /// manifests in it.
    pub(super) fn detect_from(
        &self,
        bytes: &[u8],
        taken: &[(usize, usize)],
        open: Option<(usize, OpenManifest)>,
    ) -> (Vec<Match>, Vec<ManifestRegion>) {
        if self.off {
            return (Vec::new(), Vec::new());
        }
        let (mut hits, manifests) = scan::dispatch::detect_from(bytes, open, self.judges);
        for (kind, pattern) in &self.own {
            hits.extend(
                pattern
                    .find_iter(bytes)
                    .filter(|found| !found.is_empty())
                    .map(|found| Match {
                        start: found.start(),
                        end: found.end(),
                        kind: kind.clone(),
                        rule: "own-pattern",
                        confidence: scan::KNOWN_TOKEN,
                    }),
            );
        }
        if !self.disabled.is_empty() || !self.allowed.is_empty() {
            hits.retain(|hit| {
                let value = bytes.get(hit.start..hit.end).unwrap_or_default();
                !self.disabled.contains(&hit.kind)
                    && !self.allowed.iter().any(|allowed| allowed.covers(value))
            });
        }
        for texts in &self.taught {
            let hit = |(start, end)| Match {
                start,
                end,
                kind: Kind::built_in(PRIVATE),
                rule: "taught",
                confidence: scan::KNOWN_TOKEN,
            };
            hits.extend(texts.find(bytes).into_iter().map(hit));
        }
        for hit in &mut hits {
            align_to_chars(bytes, hit);
        }
        (scan::overlaps::resolve_overlaps(hits, taken), manifests)
    }
}

/// Replaces the hits by placeholders, and returns where each part between them begins in the result
/// and in the original.
fn with_placeholders(bytes: &[u8], hits: &[Match]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut left = Vec::with_capacity(bytes.len());
    let mut seams = Vec::with_capacity(hits.len() + 1);
    let mut from = 0;
    for hit in hits {
        seams.push((left.len(), from));
        left.extend_from_slice(bytes.get(from..hit.start).unwrap_or_default());
        left.extend_from_slice(format!("[{}_1]", hit.kind).as_bytes());
        from = hit.end;
    }
    seams.push((left.len(), from));
    left.extend_from_slice(bytes.get(from..).unwrap_or_default());
    (left, seams)
}

/// Bytes before and after a placeholder that are scanned again, and how close to a cut a hit is
/// dropped.
const WINDOW_BEFORE: usize = 256;
const WINDOW_AFTER: usize = 512;
const CUT_MARGIN: usize = 64;
/// The longest value in quotes: a part is extended to the line end by at most this much.
const MAX_VALUE_BYTES: usize = 2304;

/// The parts of a text around its placeholders, extended to whole lines; all of the text if they
/// cover most of it.
fn windows_around(left: &[u8], seams: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &(behind, _) in seams.iter().skip(1) {
        let from = behind.saturating_sub(WINDOW_BEFORE);
        // Extend to the beginning of the line, if it is near.
        let lead = left
            .get(from.saturating_sub(WINDOW_BEFORE)..from)
            .unwrap_or_default();
        let from = lead
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(from, |p| from - lead.len() + p + 1);
        // Extend to the end of the line, as far as a value may reach.
        let to = (behind + WINDOW_AFTER).min(left.len());
        let tail = left
            .get(to..(to + MAX_VALUE_BYTES).min(left.len()))
            .unwrap_or_default();
        let to = to
            + tail
                .iter()
                .position(|&b| b == b'\n')
                .map_or(tail.len(), |p| p + 1);
        match parts.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ => parts.push((from, to)),
        }
    }
    let covered: usize = parts.iter().map(|(from, to)| to - from).sum();
    if covered * 4 > left.len() * 3 {
        vec![(0, left.len())]
    } else {
        parts
    }
}

/// Extends a hit to character boundaries.
fn align_to_chars(bytes: &[u8], hit: &mut Match) {
    let inside = |i: usize| bytes.get(i).is_some_and(|b| b & 0xc0 == 0x80);
    for _ in 0..3 {
        if hit.start > 0 && inside(hit.start) {
            hit.start -= 1;
        }
        if inside(hit.end) {
            hit.end += 1;
        }
    }
}

#[cfg(test)]
mod marks {
    use super::*;
    use crate::privacy::Placeholders;

    #[test]
    fn redacted_text_is_trusted_for_same_ruleset() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let lax = Redactor::new(&Policy {
            disable: vec!["EMAIL".to_owned()],
            ..Policy::default()
        })
        .unwrap();
        let text = "to ann@initech.com and [EMAIL_7]";
        let mut table = Placeholders::default();
        let passed = lax.redact(Raw::from(text), &mut table).0;
        assert_eq!(passed.as_str(), text);
        assert_eq!(
            lax.redact_stored(Raw::from(text), Some(passed.ruleset()), &mut table)
                .as_str(),
            text
        );
        for ruleset in [Some(passed.ruleset()), None, Some(RulesetId(1))] {
            let again =
                redactor.redact_stored(Raw::from(text), ruleset, &mut Placeholders::default());
            assert_eq!(again.as_str(), "to [EMAIL_8] and [EMAIL_7]");
            let mut later = Placeholders::default();
            let kept = redactor.redact_stored(
                Raw::from(again.as_str()),
                Some(again.ruleset()),
                &mut later,
            );
            assert_eq!(kept, again);
            assert_eq!(
                redactor
                    .redact(Raw::from("bob@initech.com"), &mut later)
                    .0
                    .as_str(),
                "[EMAIL_9]"
            );
        }
    }
}
