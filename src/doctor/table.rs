//! The checks, in the order in which they are shown.

use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, CheckResult};
use crate::doctor::{
    audit, backup, env_files, keys, limits, network, other_tools, privacy, program, repositories,
    shell_history, storage, system, vault,
};

/// A check: its id and its function.
pub type CheckRow = (&'static str, fn(&Examination<'_>) -> CheckOutcome);

/// All checks. Scripts rely on the ids.
pub const CHECKS: &[CheckRow] = &[
    ("program.build", program::build),
    ("program.advisories", program::advisories),
    ("settings.file", privacy::settings_file),
    ("storage.canary", storage::canary),
    ("storage.permissions", storage::permissions),
    ("storage.parents", storage::parents),
    ("storage.leftovers", storage::leftovers),
    ("storage.sizes", storage::sizes),
    ("storage.space", storage::space),
    ("keys.store", keys::store),
    ("keys.environment", keys::environment),
    ("keys.age", keys::age),
    ("keys.validity", keys::validity),
    ("keys.expiry", keys::expiry),
    ("keys.host", keys::host),
    ("vault.parameters", vault::parameters),
    ("recovery.copy", backup::recovery_copy),
    ("backup.age", backup::age),
    ("backup.verification", backup::verification),
    ("backup.repositories", repositories::repositories),
    ("audit.chain", audit::chain),
    ("audit.writable", audit::writable),
    ("audit.alerts", audit::alerts),
    ("limits.requests", limits::requests),
    ("limits.budget", limits::budget),
    ("privacy.redaction", privacy::redaction),
    ("privacy.sending", privacy::sending),
    ("privacy.debug_log", privacy::debug_log),
    ("clock.records", system::clock_against_records),
    ("clock.provider", system::clock_against_provider),
    ("system.core_dumps", system::core_dumps),
    ("system.ptrace", system::ptrace),
    ("system.swap", system::swap),
    ("network.provider", network::provider),
    ("network.route", network::route),
    ("network.past_requests", network::past_requests),
    ("around.env_files", env_files::env_files),
    ("around.tool_keys", other_tools::keys),
    ("around.tool_addresses", other_tools::addresses),
    ("around.tool_commands", other_tools::commands),
    ("around.shell_history", shell_history::shell_history),
];

/// Runs all checks in order.
#[must_use]
pub fn examine(examination: &Examination<'_>) -> Vec<CheckResult> {
    let run = |(id, check): &CheckRow| {
        let CheckOutcome {
            status,
            summary,
            fix,
        } = check(examination);
        CheckResult {
            id,
            status,
            summary,
            fix,
        }
    };
    CHECKS.iter().map(run).collect()
}
