//! Checks of the program itself: how it was built, and what is known about its dependencies.

use crate::build_info::{BuildInfo, KnownAdvisories};
use crate::doctor::examination::Examination;
use crate::doctor::outcome::CheckOutcome;
use crate::time::Time;

/// After this time new advisories have been published about some dependency.
const MAX_ADVISORY_AGE_DAYS: u64 = 180;
/// Reads the list of dependencies in the program, and looks each up.
const LOOK_UP: &str = "cargo audit bin \"$(command -v chatbot)\"";

pub(super) fn build(_: &Examination<'_>) -> CheckOutcome {
    let build = BuildInfo::of_this_program();
    CheckOutcome::ok(format!(
        "chatbot {} for {}, commit {}, {}",
        build.version,
        build.target,
        build.describe_commit(),
        build.toolchain
    ))
}

pub(super) fn advisories(examination: &Examination<'_>) -> CheckOutcome {
    let known = BuildInfo::of_this_program().advisories;
    judge_advisories(known.as_ref(), examination.clock.now())
}

fn judge_advisories(known: Option<&KnownAdvisories>, now: Time) -> CheckOutcome {
    let Some(known) = known else {
        return CheckOutcome::skip(format!(
            "known vulnerabilities were not looked up when it was built: `{LOOK_UP}` does it"
        ));
    };
    let date = known.date;
    if !known.ids.is_empty() {
        return CheckOutcome::warn(
            format!(
                "known on {date}, when it was built: {}",
                known.ids.join(", ")
            ),
            LOOK_UP,
        );
    }
    let days = Time::from_local_day(date).map(|day| now.since(day).as_secs() / 86_400);
    match days {
        Some(days) if days > MAX_ADVISORY_AGE_DAYS => CheckOutcome::warn(
            format!("none known on {date}, when it was built, {days} days ago"),
            LOOK_UP,
        ),
        _ => CheckOutcome::ok(format!("none known on {date}, when it was built")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_are_judged_by_what_was_known_and_when() {
        let judge = |known: Option<(&'static str, &[&'static str])>| {
            let known = known.map(|(date, ids)| KnownAdvisories {
                date,
                ids: ids.to_vec(),
            });
            let now = Time::from_local_day("2026-11-30").unwrap();
            judge_advisories(known.as_ref(), now)
        };
        assert_eq!(
            judge(None),
            CheckOutcome::skip(
                "known vulnerabilities were not looked up when it was built: \
                 `cargo audit bin \"$(command -v chatbot)\"` does it"
            )
        );
        assert_eq!(
            judge(Some(("2026-11-01", &[]))),
            CheckOutcome::ok("none known on 2026-11-01, when it was built")
        );
        assert_eq!(
            judge(Some(("2026-01-01", &[]))),
            CheckOutcome::warn(
                "none known on 2026-01-01, when it was built, 333 days ago",
                LOOK_UP
            )
        );
        assert_eq!(
            judge(Some((
                "2026-11-01",
                &["RUSTSEC-2026-0001", "RUSTSEC-2026-0002"]
            ))),
            CheckOutcome::warn(
                "known on 2026-11-01, when it was built: RUSTSEC-2026-0001, RUSTSEC-2026-0002",
                LOOK_UP
            )
        );
    }
}
