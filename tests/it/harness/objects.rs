//! A real S3 server that checks credentials: `moto`, in a Python process.

use super::{Sandbox, python};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The first requests create a user, its key and a bucket. After them the server checks every
/// identity and signature.
const SERVER: &str = r#"
import json, logging, os, sys
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"
logging.getLogger("werkzeug").setLevel(logging.ERROR)
import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
url = "http://127.0.0.1:%d" % server.get_host_and_port()[1]

def client(what, key, secret):
    return boto3.client(what, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)

iam = client("iam", "first", "first")
iam.create_user(UserName="chatbot")
key = iam.create_access_key(UserName="chatbot")["AccessKey"]
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="chatbot", PolicyName="all", PolicyDocument=json.dumps(policy))
client("s3", "first", "first").create_bucket(Bucket="bucket")
s3 = client("s3", key["AccessKeyId"], key["SecretAccessKey"])
# Versions that do not go together cannot check each other's signatures: then there is no server.
s3.list_objects_v2(Bucket="bucket", Prefix="a/b")
print(json.dumps({"url": url, "key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}), flush=True)
for line in sys.stdin:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=line.strip())
    listed = {o["Key"]: [o["Size"], o["LastModified"].isoformat()] for p in pages for o in p.get("Contents", [])}
    print(json.dumps(listed), flush=True)
"#;

/// The server, which is stopped on drop.
#[derive(Debug)]
pub(crate) struct S3 {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    url: String,
    key: String,
    secret: String,
}

impl S3 {
    /// A server with a bucket `bucket`; `None` if no Python has `moto`, or if it does not start.
    pub(crate) fn start() -> Option<Self> {
        let python = python::with(&["moto.server", "boto3", "flask"])?;
        let mut process = Command::new(python)
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let (stdin, stdout) = (
            process.stdin.take(),
            BufReader::new(process.stdout.take().expect("standard output")),
        );
        let mut server = Self {
            process,
            stdin,
            stdout,
            url: String::new(),
            key: String::new(),
            secret: String::new(),
        };
        let greeting = server.read_line()?;
        let text = |name: &str| greeting[name].as_str().expect("a text").to_owned();
        (server.url, server.key, server.secret) = (text("url"), text("key"), text("secret"));
        Some(server)
    }

    /// The next line of the server's output; `None` if it has ended.
    fn read_line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the server stdout");
        (!line.is_empty()).then(|| {
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("the server says `{line}`: {e}"))
        })
    }

    /// The objects under a path, as its own client lists them: size and date.
    pub(crate) fn list(&mut self, under: &str) -> serde_json::Map<String, Value> {
        writeln!(self.stdin.as_mut().expect("standard input"), "{under}")
            .expect("the server reads");
        self.read_line()
            .expect("the server is there")
            .as_object()
            .expect("a list")
            .clone()
    }

    /// Gives a sandbox the credentials.
    pub(crate) fn admit(&self, sandbox: &mut Sandbox) {
        sandbox.set("AWS_ENDPOINT_URL", &self.url);
        sandbox.set("AWS_ACCESS_KEY_ID", &self.key);
        sandbox.set("AWS_SECRET_ACCESS_KEY", &self.secret);
    }

    /// The secret access key.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
