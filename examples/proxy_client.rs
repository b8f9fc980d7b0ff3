//! Asks a model through the proxy with signed requests. It never sees an API key.
//!
//! ```text
//! chatbot proxy token --scope chat,mint --ttl 1d > minting-token
//! export CHATBOT_PROXY=http://127.0.0.1:PORT
//! cargo run --example proxy_client -- minting-token MODEL "why is the sky blue?"
//! ```
//!
//! Each further argument is another question. `PROXY_TOKEN_TTL` is the life of its own tokens in
//! seconds.

use chatbot::Clock;
use chatbot::proxy::text_to_sign;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long before its end a token is replaced.
const REFRESH: Duration = Duration::from_secs(30);
const CHAT: &str = "/v1/chat/completions";

struct ProxyClient {
    /// Host and port.
    address: String,
    minting_token: String,
    ttl: Duration,
    token: Option<Token>,
}

struct Token {
    id: String,
    secret: String,
    ends: Instant,
}

impl ProxyClient {
    /// Sends a request and reads the answer, without an HTTP library.
    fn post(&self, path: &str, body: &str, headers: &str) -> Result<Value, Box<dyn Error>> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if head.starts_with("HTTP/1.1 200") {
            Ok(serde_json::from_str(body)?)
        } else {
            Err(body.into())
        }
    }

    /// A token, which is replaced shortly before it ends.
    fn token(&mut self) -> Result<&Token, Box<dyn Error>> {
        let now = Instant::now();
        let token = match self.token.take() {
            Some(token) if now + REFRESH < token.ends => token,
            _ => {
                let wanted = json!({
                    "name": "rust-example",
                    "scopes": ["chat"],
                    "ttl_s": self.ttl.as_secs(),
                    "signed": true,
                });
                let bearer = format!("authorization: Bearer {}\r\n", self.minting_token);
                let made = self.post("/api/token", &wanted.to_string(), &bearer)?;
                let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
                Token {
                    id: text("id").ok_or("no id")?,
                    secret: text("token").ok_or("no token")?,
                    ends: now + self.ttl,
                }
            }
        };
        Ok(self.token.insert(token))
    }

    fn ask(&mut self, model: &str, question: &str) -> Result<String, Box<dyn Error>> {
        let messages = json!([{ "role": "user", "content": question }]);
        let body = json!({ "model": model, "messages": messages }).to_string();
        let time = Clock::system().now().seconds().to_string();
        let mut random = [0; 16];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| "no random numbers")?;
        let nonce = hex(&random);
        let token = self.token()?;
        let text = text_to_sign("POST", CHAT, &time, &nonce, body.as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.secret.as_bytes());
        let signature = hex(hmac::sign(&key, text.as_bytes()).as_ref());
        let headers = format!(
            "x-chatbot-token: {}\r\nx-chatbot-time: {time}\r\nx-chatbot-nonce: {nonce}\r\n\
             x-chatbot-signature: {signature}\r\n",
            token.id
        );
        let answer = self.post(CHAT, &body, &headers)?;
        let text = answer.pointer("/choices/0/message/content");
        Ok(text.and_then(Value::as_str).unwrap_or_default().to_owned())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, model, questions @ ..] = args.as_slice() else {
        return Err("usage: proxy_client MINTING-TOKEN-FILE MODEL QUESTION…".into());
    };
    let address = std::env::var("CHATBOT_PROXY")?;
    let ttl = std::env::var("PROXY_TOKEN_TTL").map_or(Ok(600), |text| text.parse())?;
    let mut client = ProxyClient {
        address: address.trim_start_matches("http://").to_owned(),
        minting_token: std::fs::read_to_string(file)?.trim().to_owned(),
        ttl: Duration::from_secs(ttl),
        token: None,
    };
    for question in questions {
        writeln!(std::io::stdout(), "{}", client.ask(model, question)?)?;
    }
    Ok(())
}
