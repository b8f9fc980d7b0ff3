//! `version`: the version, and how the program was built.

use crate::build_info::BuildInfo;
use crate::cli::context::Context;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct VersionArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, options: VersionArgs) -> Result<()> {
    let build = BuildInfo::of_this_program();
    if options.json {
        let mut object = json!({ "schema_version": 1 });
        if let (Value::Object(all), Value::Object(facts)) =
            (&mut object, serde_json::to_value(&build)?)
        {
            all.extend(facts);
        }
        return context.ui.json(&object);
    }
    let advisories = match &build.advisories {
        None => String::from("not looked up when it was built"),
        Some(known) if known.ids.is_empty() => format!("none known on {}", known.date),
        Some(known) => format!("known on {}: {}", known.date, known.ids.join(", ")),
    };
    context.ui.out(&format!(
        "chatbot {}\n\
         commit:      {}\n\
         Cargo.lock:  {}\n\
         features:    {}\n\
         target:      {}\n\
         toolchain:   {}\n\
         advisories:  {advisories}\n",
        build.version,
        build.describe_commit(),
        build.lock.unwrap_or("not recorded"),
        match build.features.as_slice() {
            [] => String::from("none"),
            features => features.join(", "),
        },
        build.target,
        build.toolchain
    ))
}
