//! Asks three times for a request where two a minute are allowed. The count is in a file, so it holds
//! across processes: run this twice.
//!
//! `cargo run --example rate_limit -- /path/to/requests`

use chatbot::Clock;
use chatbot::limits::{Error, Limiter};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os()
        .nth(1)
        .ok_or("name a file for the count")?;
    let limiter = Limiter::new(file.into(), 2, 100);
    let clock = Clock::system();
    let mut out = std::io::stdout();
    for _ in 0..3 {
        // The second argument is asked for earlier requests if the file is lost.
        match limiter.acquire(clock.moment(), &|_| Vec::new()) {
            Ok(admitted) => {
                let [minute, _] = admitted.windows;
                writeln!(
                    out,
                    "allowed: {} of {}",
                    minute.used, minute.window.max_requests
                )?;
            }
            Err(Error::Full { usage, wait }) => {
                let (name, seconds) = (usage.window.name, wait.as_secs_f64().ceil());
                writeln!(
                    out,
                    "refused: the {name} is full for {seconds} more seconds"
                )?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
