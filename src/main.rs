//! The door.

use std::process::ExitCode;

fn main() -> ExitCode {
    chatbot::run(std::env::args_os())
}
