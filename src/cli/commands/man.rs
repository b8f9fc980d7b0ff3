//! `man`: the manual pages of all commands, made from the same definitions as the help.

use crate::cli::Cli;
use crate::cli::context::Context;
use crate::cli::term::display_path;
use crate::cli::term::format::pluralize;
use crate::fs::{self, AtomicFile};
use anyhow::Result;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  chatbot man | man -l -                 read the page of the program itself
  chatbot man ~/.local/share/man/man1    write a page for each command, then: man chatbot-ask";

/// When the texts last changed in substance. Not the date of the build: two builds of one commit
/// are to be equal.
const DATE: &str = "2026-11-30";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Folder for the pages of all commands, readable only by you; without it, the page of the
    /// program is printed
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// A page and its file name.
struct ManPage {
    file: String,
    text: Vec<u8>,
}

pub(crate) fn run(context: &Context, options: &ManArgs) -> Result<()> {
    let mut root = Cli::command();
    // The options of a command are built only when it is called; this builds those of all.
    root.build();
    let Some(dir) = &options.dir else {
        let page = page(&root, &[])?;
        return context.ui.out(String::from_utf8_lossy(&page.text).as_ref());
    };
    let mut pages = Vec::new();
    collect(&root, &mut Vec::new(), &mut pages)?;
    fs::create_dir(dir)?;
    let mut drafts = Vec::new();
    for page in &pages {
        let mut draft = AtomicFile::create_for(&dir.join(&page.file))?;
        draft.write(&page.text)?;
        drafts.push(draft);
    }
    AtomicFile::commit_all(drafts)?;
    context.ui.notice(&format!(
        "wrote {} to {}",
        pluralize(pages.len(), "page"),
        display_path(dir)
    ));
    Ok(())
}

/// The pages of a command and of those below it.
fn collect<'c>(
    command: &'c Command,
    above: &mut Vec<&'c Command>,
    pages: &mut Vec<ManPage>,
) -> Result<()> {
    pages.push(page(command, above)?);
    above.push(command);
    for below in listed_below(command) {
        collect(below, above, pages)?;
    }
    above.pop();
    Ok(())
}

fn listed_below(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
}

fn page(command: &Command, above: &[&Command]) -> Result<ManPage> {
    let name = page_name(command);
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(DATE)
        .source(concat!("chatbot ", env!("CARGO_PKG_VERSION")))
        .manual("chatbot manual");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if listed_below(command).next().is_some() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut rest = Roff::new();
    if let Some(help) = command.get_after_long_help().or(command.get_after_help()) {
        add_sections(&mut rest, &help.to_string());
    }
    if !above.is_empty() {
        rest.control("SH", ["SEE ALSO"]);
        let names = above.iter().map(|command| page_name(command) + "(1)");
        rest.text([roman(names.collect::<Vec<_>>().join(", "))]);
    }
    rest.to_writer(&mut text)?;
    // Between a description and its possible values stand two breaks and an empty line, one of
    // which is enough.
    let text = String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.br\n");
    Ok(ManPage {
        file: format!("{name}.1"),
        text: text.into_bytes(),
    })
}

/// `chatbot-key-set`
fn page_name(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}

/// Adds what follows the options of a help page. A line that ends with a colon is the heading of
/// the indented lines below it, and these are printed as they are.
fn add_sections(page: &mut Roff, text: &str) {
    let (mut in_section, mut as_typed) = (false, false);
    for line in text.lines() {
        let is_indented = line.starts_with(' ');
        if as_typed && !is_indented {
            page.control("fi", []);
            as_typed = false;
        }
        if let Some(heading) = line.strip_suffix(':').filter(|_| !is_indented) {
            page.control("SH", [heading.to_uppercase().as_str()]);
            in_section = true;
        } else if line.is_empty() {
            in_section &= !as_typed;
        } else {
            if !in_section {
                page.control("SH", ["NOTES"]);
                in_section = true;
            }
            if is_indented && !as_typed {
                page.control("nf", []);
                as_typed = true;
            }
            page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
    }
    if as_typed {
        page.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_after_the_options_becomes_sections() {
        let mut page = Roff::new();
        add_sections(
            &mut page,
            "Values are\nmasked.\n\nExamples:\n  chatbot scan    look\n  chatbot scan .\n\nExit codes:\n    0  success",
        );
        assert_eq!(
            page.to_roff(),
            ".SH NOTES\nValues are\nmasked.\n.SH EXAMPLES\n.nf\nchatbot scan    look\nchatbot scan .\n.fi\n\
             .SH \"EXIT CODES\"\n.nf\n  0  success\n.fi\n"
        );
    }
}
