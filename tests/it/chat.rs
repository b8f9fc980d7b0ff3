//! The conversation on a terminal.

use super::harness::Sandbox;
use super::harness::screen::key;

#[test]
fn look() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["chat", "--demo"]);
    screen.wait_for("> ").line("hello there").wait_for("tok").wait_for("> ");
    screen.line("/help").wait_for("/exit").wait_for("> ");
    screen.send("half a line").wait_for("half a line").send(key::CTRL_C).wait_for("> ").send(key::CTRL_D);
    let code = screen.end();
    println!("{}\n----{code}", screen.text());
    println!("{}", String::from_utf8_lossy(&screen.transcript()).escape_debug());
}
