# Homebrew formula. A template: fill.py puts in the version, the address and the checksums.
class Chatbot < Formula
  desc "Chat with AI models in the terminal; private data is redacted before it is sent"
  homepage "@URL@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@URL@/chatbot-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin.tar.gz@"
    end
    on_intel do
      url "@URL@/chatbot-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin.tar.gz@"
    end
  end
  on_linux do
    on_arm do
      url "@URL@/chatbot-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-musl.tar.gz@"
    end
    on_intel do
      url "@URL@/chatbot-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-musl.tar.gz@"
    end
  end

  def install
    bin.install "chatbot"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/chatbot.bash" => "chatbot"
    zsh_completion.install "completions/_chatbot"
    fish_completion.install "completions/chatbot.fish"
    doc.install "README.md", "THIRD-PARTY-NOTICES"
  end

  test do
    assert_match "chatbot #{version}", shell_output("#{bin}/chatbot version")
    assert_match "[EMAIL_1]", pipe_output("#{bin}/chatbot redact", "jo@initech.com")
  end
end
