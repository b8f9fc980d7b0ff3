//! The time zone of the environment.

use crate::cli::env::Env;
use crate::fs;
use crate::time;
use std::path::Path;

/// Loads the time zone that `TZ` names, such as `Asia/Tokyo`. `jiff` understands rules and absolute
/// paths by itself.
pub(crate) fn apply_tz(env: Env) {
    let Ok(Some(value)) = env.text("TZ") else {
        return;
    };
    let name = value.trim_start_matches(':');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if !name.starts_with('/') && name.chars().all(plain) {
        // If the file does not exist, the value is a rule such as `JST-9`.
        if let Ok(rules) = fs::read_external(&Path::new("/usr/share/zoneinfo").join(name), 1 << 20)
        {
            time::set_time_zone(name, &rules);
        }
    }
}
