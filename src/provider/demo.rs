//! The built-in demo: no network and no model. It shows new users what the program does with their
//! text.

use super::{Completion, Error, NanoDollars, Provider, RequestOptions, StreamEvent, TokenUsage};
use crate::message::{Message, Role};
use crate::name::Name;
use crate::privacy::Raw;
use serde::Serialize;
use std::time::Duration;

/// Answers offline. The same input always gets the same answer.
#[derive(Debug)]
pub struct Demo {
    name: Name,
    pace: Duration,
}

impl Default for Demo {
    fn default() -> Self {
        Self::new()
    }
}

impl Demo {
    /// Creates a demo that answers at once.
    #[must_use]
    pub fn new() -> Self {
        // "demo" is a valid name, so the other arm is unreachable.
        let name = "demo".parse().unwrap_or_else(|_| unreachable!());
        Self {
            name,
            pace: Duration::ZERO,
        }
    }

    /// Creates a demo that answers word by word, for an interactive chat.
    #[must_use]
    pub fn paced() -> Self {
        Self {
            pace: Duration::from_millis(12),
            ..Self::new()
        }
    }

    fn reply_to(messages: &[Message]) -> String {
        let mut asked = messages.iter().filter(|message| message.role == Role::User);
        let turns = asked.clone().count();
        let Some(last) = asked.next_back() else {
            return String::from(WELCOME);
        };
        let words = last.text.as_str();
        let hidden = placeholders_in(words);
        if !hidden.is_empty() {
            return about_placeholders(words, &hidden);
        }
        let lower = words.to_lowercase();
        let asks = |any: &[&str]| any.iter().any(|word| lower.contains(word));
        let topic = TOPICS
            .iter()
            .find(|(words, _)| asks(words))
            .map(|(_, answer)| *answer);
        match topic {
            Some(answer) => answer.to_owned(),
            None if turns <= 1 => String::from(WELCOME),
            None => format!(
                "You wrote {} words. A model would answer now; I cannot, because I am only the demo.\n\n{NEXT_STEPS}",
                words.split_whitespace().count()
            ),
        }
    }
}

const WELCOME: &str = "Hello. This is the demo: no model, no network, nothing to pay. I answer from a few lines in the program, so that you can see \
what happens to your words.\n\nTry this: paste an e-mail address or a card number, such as 4111 1111 1111 1111, and send it. I will show you what a provider \
would see.\n\nOr ask me about *storage*, *keys*, *backup*, *privacy* or *cost*.";

const NEXT_STEPS: &str = "Paste an e-mail address or a card number to see it replaced, or ask about *storage*, *keys*, *backup*, *privacy* or *cost*. \
`/help` lists the commands, `/exit` leaves.";

type Topic = (&'static [&'static str], &'static str);

const TOPICS: &[Topic] = &[
    (
        &["backup", "restore", "lost", "new machine"],
        "Backup: `chatbot backup` writes one encrypted file with your conversations and checks that it can be opened again; `chatbot restore FILE` brings it back. \
It needs your passphrase, and no one else can open it. This is the demo speaking, but those commands are real.",
    ),
    (
        &["api key", "key", "secret", "password", "keyring", "vault"],
        "Keys: your API key lives in the operating system's keyring, or in an encrypted vault where there is none: never in a plain file, never on a command line. \
It goes to its own provider's host and nowhere else. `chatbot key set` stores one without showing it, `chatbot key list` shows what is there. \
This is the demo speaking; it has no key and needs none.",
    ),
    (
        &["cost", "price", "budget", "pay", "money", "usage"],
        "Cost: the provider's own figure is counted for each answer, and `chatbot usage` adds it up. If you set a budget, a request that would exceed it is \
not sent. This demo costs nothing.",
    ),
    (
        &[
            "store", "storage", "stored", "saved", "disk", "file", "history", "encrypt", "where",
        ],
        "Storage: each conversation is one file, and each message in it is encrypted and authenticated before it is written, readable by your user alone. What was replaced \
in a message is not in the file either. `chatbot history list` shows them, `--no-log` writes nothing at all. \
This is the demo speaking, but what you write here is treated the same way.",
    ),
    (
        &[
            "privacy", "redact", "private", "leak", "personal", "data", "pii",
        ],
        "Privacy: before a message is saved or sent, e-mail addresses, phone numbers, card numbers, keys and the like are replaced by placeholders such as `[ EMAIL_1 ]`. \
The provider sees the placeholder; your own screen shows the real value again when an answer mentions it. Try it: send me an e-mail address. \
It is done by rules, and rules miss things: do not send what must never leave. This demo gets the placeholders, too.",
    ),
    (
        &[
            "real model",
            "start",
            "begin",
            "how do i",
            "setup",
            "set up",
            "install",
            "openrouter",
        ],
        "To talk to a real model: get a key from a provider (https://openrouter.ai/settings/keys, for example), then run `chatbot key set` and `chatbot`. \
Everything else stays as you see it in this demo.",
    ),
    (
        &[
            "help",
            "what can",
            "commands",
            "who are you",
            "what are you",
        ],
        "I am the demo: a few prepared lines, not a model. Paste an e-mail address or a card number to see it replaced, or ask about *storage*, *keys*, *backup*, *privacy* \
or *cost*. `/help` lists the commands of the chat, `/exit` leaves.",
    ),
];

/// The placeholders in a text, without duplicates, in order of first occurrence: `[EMAIL_1]`.
fn placeholders_in(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    // The text after the last `[` before each `]`.
    for part in text.split_inclusive(']') {
        let Some(whole) = part
            .rfind('[')
            .and_then(|open| part.get(open..))
            .filter(|whole| whole.ends_with(']'))
        else {
            continue;
        };
        let is_one =
            whole
                .trim_matches(['[', ']'])
                .rsplit_once('_')
                .is_some_and(|(kind, number)| {
                    !kind.is_empty()
                        && kind
                            .bytes()
                            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                        && !number.is_empty()
                        && number.bytes().all(|b| b.is_ascii_digit())
                });
        if is_one && !found.contains(&whole) {
            found.push(whole);
        }
    }
    found
}

fn about_placeholders(words: &str, hidden: &[&str]) -> String {
    let things = match hidden {
        [_] => "one value".to_owned(),
        more => format!("{} values", more.len()),
    };
    // Spaces inside the brackets keep the screen from restoring the value: this is what a provider
    // sees.
    let mut seen: String = words.chars().take(400).collect();
    for one in hidden {
        seen = seen.replace(one, &spaced_placeholder(one));
    }
    let list: Vec<String> = hidden
        .iter()
        .map(|one| format!("`{}` stands for {one}", spaced_placeholder(one)))
        .collect();
    format!(
        "I (the demo) did not get your text as you typed it: {things} had been replaced first. A provider would get this:\n\n> {}\n\n\
Your screen shows the real value again: {}. Only this program, on this machine, knows which placeholder stands for which value, and only while it runs: the file on disk contains the placeholder too.",
        seen.replace('\n', "\n> "),
        list.join("; ")
    )
}

/// Writes a placeholder with spaces: `[ EMAIL_1 ]`.
fn spaced_placeholder(placeholder: &str) -> String {
    format!("[ {} ]", placeholder.trim_matches(['[', ']']))
}

#[derive(Serialize)]
struct DemoBody<'a> {
    demo: bool,
    messages: Vec<DemoMessage<'a>>,
}

#[derive(Serialize)]
struct DemoMessage<'a> {
    role: Role,
    content: &'a str,
}

impl Provider for Demo {
    fn name(&self) -> &Name {
        &self.name
    }

    fn request_body(&self, said: &[Message], _: &RequestOptions) -> String {
        let messages = said
            .iter()
            .map(|message| DemoMessage {
                role: message.role,
                content: message.text.as_str(),
            })
            .collect();
        serde_json::to_string(&DemoBody {
            demo: true,
            messages,
        })
        .unwrap_or_default()
    }

    async fn complete(
        &self,
        messages: &[Message],
        _: &RequestOptions,
        on_event: &mut dyn FnMut(StreamEvent),
    ) -> Result<Completion, Error> {
        let text = Self::reply_to(messages);
        on_event(StreamEvent::Started {
            id: None,
            model: Some(String::from("demo")),
        });
        for word in text.split_inclusive([' ', '\n']) {
            on_event(StreamEvent::Text(Raw::from(word)));
            if !self.pace.is_zero() {
                tokio::time::sleep(self.pace).await;
            }
        }
        let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
        let usage = TokenUsage {
            prompt_tokens: tokens(
                messages
                    .iter()
                    .map(|message| message.text.as_str().len())
                    .sum(),
            ),
            completion_tokens: tokens(text.len()),
            cost: Some(NanoDollars(0)),
            ..TokenUsage::default()
        };
        Ok(Completion {
            id: None,
            model: String::from("demo"),
            finish: Some(String::from("stop")),
            usage: Some(usage),
            complete: true,
            tool_calls: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Placeholders, Policy, Redactor};
    use crate::time::Time;

    fn said(words: &[&str]) -> Vec<Message> {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut table = Placeholders::default();
        let one = |text: &str, table: &mut Placeholders| redactor.redact(Raw::from(text), table).0;
        words
            .iter()
            .map(|text| Message::new(Role::User, one(text, &mut table), Time::from_millis(0)))
            .collect()
    }

    #[test]
    fn demo_mentions_placeholders() {
        let answer = Demo::reply_to(&said(&[
            "write to bob.miller@initech.com and bob.miller@initech.com",
        ]));
        assert!(
            answer.contains("> write to [ EMAIL_1 ] and [ EMAIL_1 ]\n"),
            "{answer}"
        );
        assert!(
            answer.contains("`[ EMAIL_1 ]` stands for [EMAIL_1]. "),
            "{answer}"
        );
        assert!(!answer.contains("initech"));
    }

    #[test]
    fn demo_ignores_non_placeholders() {
        assert_eq!(
            placeholders_in("[x] [EMAIL_1] [[PHONE_22] [EMAIL_1] [A_] [_1] [US_SSN_3] [open"),
            ["[EMAIL_1]", "[PHONE_22]", "[US_SSN_3]"]
        );
        assert_eq!(placeholders_in("a[1] = b[i_2]; ]["), [""; 0]);
    }

    #[test]
    fn demo_replies_are_deterministic() {
        for words in [
            "hi",
            "where is it stored?",
            "my key",
            "BACKUP",
            "privacy",
            "what does it cost",
            "help",
            "how do I start",
            "\u{1f44b}",
        ] {
            let answer = Demo::reply_to(&said(&[words]));
            assert!(answer.to_lowercase().contains("demo"), "{words}: {answer}");
            assert_eq!(answer, Demo::reply_to(&said(&[words])));
        }
        let later = Demo::reply_to(&said(&["hi", "tell me a joke please"]));
        assert!(
            later.starts_with(
                "You wrote 5 words. A model would answer now; I cannot, because I am only the demo."
            ),
            "{later}"
        );
        assert!(Demo::reply_to(&[]).contains("demo"));
    }
}
