//! What the speed promises are measured with.

fn main() {
    divan::main();
}
