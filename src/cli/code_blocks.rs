//! The code blocks of an answer.

/// The texts of the fenced code blocks. One that is not closed reaches to the end.
pub(crate) fn code_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(fence) = lines.by_ref().find_map(opening_fence) {
        let code = lines
            .by_ref()
            .take_while(|line| !line.trim_start().starts_with(&fence))
            .fold(String::new(), |code, line| code + line + "\n");
        blocks.push(code);
    }
    blocks
}

fn opening_fence(line: &str) -> Option<String> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| "`~".contains(*c))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    (length >= 3).then(|| mark.to_string().repeat(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_are_found() {
        let text = "a\n```sh\nls\n```\nb\n~~~~\n```\n~~~\n~~~~\nc `x`\n```\nopen";
        assert_eq!(code_blocks(text), ["ls\n", "```\n~~~\n", "open\n"]);
        assert_eq!(code_blocks("none"), Vec::<String>::new());
    }
}
