//! Checks of the machine: the clock, core files, access to memory, and swap.

use crate::doctor::examination::Examination;
use crate::doctor::outcome::CheckOutcome;
use crate::fs;
use crate::process;
use crate::time::{Time, humanize};
use std::path::Path;
use std::time::Duration;

/// Clocks of two machines differ by less than this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);
/// Files of the kernel are shorter.
const MAX_KERNEL_BYTES: u64 = 64 * 1024;
const SET_CLOCK: &str = "sudo timedatectl set-ntp true";

/// A clock that was set back makes limits, budgets and retention wrong.
pub(super) fn clock_against_records(examination: &Examination<'_>) -> CheckOutcome {
    let mut newest: Option<Time> = None;
    let read = examination
        .audit
        .read(|record, _| newest = newest.max(Some(record.at)));
    let Some(newest) = read.ok().and(newest) else {
        return CheckOutcome::skip("there are no records to compare the clock with");
    };
    let now = examination.clock.now();
    let behind = newest.since(now);
    if behind > CLOCK_TOLERANCE {
        return CheckOutcome::fail(
            format!("the clock is {} behind the newest record", humanize(behind)),
            SET_CLOCK,
        );
    }
    CheckOutcome::ok(format!("{}, after every record", now.local_minute()))
}

pub(super) fn clock_against_provider(examination: &Examination<'_>) -> CheckOutcome {
    let Ok(reached) = &examination.provider else {
        return CheckOutcome::skip("the provider was not reached");
    };
    let Some((there, here)) = reached.date else {
        return CheckOutcome::skip("the provider does not say what time it is");
    };
    let difference = there.since(here).max(here.since(there));
    if difference > CLOCK_TOLERANCE {
        return CheckOutcome::warn(
            format!(
                "the clock differs from that of `{}` by {}",
                reached.name,
                humanize(difference)
            ),
            SET_CLOCK,
        );
    }
    CheckOutcome::ok(format!("agrees with `{}`", reached.name))
}

pub(super) fn core_dumps(_: &Examination<'_>) -> CheckOutcome {
    let now = process::protection();
    match (now.no_core_file, now.memory_is_private) {
        (None, _) => CheckOutcome::skip("this system has no limit for core files"),
        (Some(false), _) => CheckOutcome::fail("a crash can leave a core file", "ulimit -c 0"),
        (Some(true), Some(false)) => CheckOutcome::fail_without_fix(
            "other programs of yours can read the memory of this process",
        ),
        (Some(true), Some(true)) => CheckOutcome::ok(
            "a crash leaves no core file, and other programs of yours cannot read the memory of this process",
        ),
        (Some(true), None) => CheckOutcome::ok("a crash leaves no core file"),
    }
}

/// A file of the kernel, if this is Linux and it has one.
fn kernel_file(path: &str) -> Option<String> {
    let bytes = fs::read_external(Path::new(path), MAX_KERNEL_BYTES).ok()?;
    String::from_utf8(bytes).ok()
}

pub(super) fn ptrace(_: &Examination<'_>) -> CheckOutcome {
    if !cfg!(target_os = "linux") {
        return CheckOutcome::skip("only Linux has this setting");
    }
    judge_ptrace(kernel_file("/proc/sys/kernel/yama/ptrace_scope").as_deref())
}

fn judge_ptrace(scope: Option<&str>) -> CheckOutcome {
    match scope.map(str::trim) {
        None => CheckOutcome::skip("this kernel has no Yama"),
        Some("0") => CheckOutcome::warn(
            "0: your programs can read each other's memory; chatbot protects its own",
            "sudo sysctl kernel.yama.ptrace_scope=1",
        ),
        Some(scope) => CheckOutcome::ok(format!(
            "{scope}: a program can read the memory of its children at most"
        )),
    }
}

pub(super) fn swap(_: &Examination<'_>) -> CheckOutcome {
    if !cfg!(target_os = "linux") {
        return CheckOutcome::skip("only Linux says where it swaps to");
    }
    let device = |path: &str| {
        let real = fs::real_path(Path::new(path))?;
        let name = real.file_name()?.to_str()?.to_owned();
        kernel_file(&format!("/sys/class/block/{name}/dm/uuid"))
    };
    judge_swap(kernel_file("/proc/swaps").as_deref(), device)
}

/// `mapping` returns the id of a mapped device, which says whether it is encrypted.
fn judge_swap(swaps: Option<&str>, mapping: impl Fn(&str) -> Option<String>) -> CheckOutcome {
    let Some(swaps) = swaps else {
        return CheckOutcome::skip("this system does not say where it swaps to");
    };
    let places: Vec<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if places.is_empty() {
        return CheckOutcome::ok("no swap");
    }
    let in_memory = |place: &str| place.contains("zram");
    let is_encrypted = |place: &str| mapping(place).is_some_and(|id| id.starts_with("CRYPT-"));
    let open: Vec<String> = places
        .iter()
        .filter(|place| !in_memory(place) && !is_encrypted(place))
        .map(|place| format!("`{place}`"))
        .collect();
    if open.is_empty() {
        return CheckOutcome::ok(format!("encrypted or in memory: {}", places.join(", ")));
    }
    CheckOutcome::warn(
        format!(
            "{} may keep what was in memory; chatbot wipes its secrets, but they can be swapped out before",
            open.join(", ")
        ),
        "sudo swapoff -a",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus::{self, Ok, Skip, Warn};

    #[test]
    fn swap_is_judged_by_its_device() {
        let head = "Filename\tType\tSize\tUsed\tPriority\n";
        let id =
            |place: &str| (place == "/dev/dm-1").then(|| String::from("CRYPT-PLAIN-cryptswap\n"));
        let cases: [(Option<&str>, CheckStatus); 6] = [
            (None, Skip),
            (Some(""), Ok),
            (Some("/dev/zram0 partition 100 0 100"), Ok),
            (Some("/dev/dm-1 partition 100 0 -2"), Ok),
            (Some("/dev/dm-2 partition 100 0 -2"), Warn),
            (
                Some("/swapfile file 100 0 -2\n/dev/dm-1 partition 1 0 -3"),
                Warn,
            ),
        ];
        for (places, status) in cases {
            let text = places.map(|places| format!("{head}{places}"));
            assert_eq!(judge_swap(text.as_deref(), id).status, status, "{places:?}");
        }
    }

    #[test]
    fn ptrace_scope_is_judged() {
        for (scope, status) in [(None, Skip), (Some("0\n"), Warn), (Some("1\n"), Ok)] {
            assert_eq!(judge_ptrace(scope).status, status, "{scope:?}");
        }
    }
}
