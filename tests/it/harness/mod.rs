//! Test harness: a sandbox, strict runs of the binary, a real terminal, and servers in the process.

pub(crate) mod browser;
pub(crate) mod bucket;
pub(crate) mod certificate;
pub(crate) mod ci_markers;
pub(crate) mod http;
pub(crate) mod keyring;
pub(crate) mod objects;
#[cfg(target_os = "linux")]
pub(crate) mod prompter;
pub(crate) mod provider;
pub(crate) mod pty;
pub(crate) mod python;
pub(crate) mod run;
pub(crate) mod sandbox;
#[cfg(target_os = "linux")]
pub(crate) mod session;
pub(crate) mod webdav;

pub(crate) use pty::Screen;
pub(crate) use run::{Output, Run};
pub(crate) use sandbox::Sandbox;
