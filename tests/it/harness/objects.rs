//! A real server that speaks S3, with credentials that count: `moto`, in a Python of its own.

use super::{Sandbox, python};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// After the first requests, which make a user, its key and a bucket, everything is looked at: who asks, and whether it is signed.
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
iam.create_user(UserName="house")
key = iam.create_access_key(UserName="house")["AccessKey"]
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="house", PolicyName="all", PolicyDocument=json.dumps(policy))
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

/// The server. It ends with this.
#[derive(Debug)]
pub(crate) struct S3 {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    url: String,
    key: String,
    secret: String,
}

impl S3 {
    /// One with a bucket, `bucket`; `None` where there is no Python that has it, or none with which it works.
    pub(crate) fn start() -> Option<Self> {
        let python = python::with(&["moto.server", "boto3", "flask"])?;
        let mut process = Command::new(python)
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let (orders, answers) = (process.stdin.take(), BufReader::new(process.stdout.take().expect("its answers")));
        let mut server = Self { process, orders, answers, url: String::new(), key: String::new(), secret: String::new() };
        let said = server.heard()?;
        let text = |name: &str| said[name].as_str().expect("a word of the server's").to_owned();
        (server.url, server.key, server.secret) = (text("url"), text("key"), text("secret"));
        Some(server)
    }

    /// What the server says; `None` if it has gone.
    fn heard(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server answers");
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|e| panic!("the server says `{line}`: {e}")))
    }

    /// What lies in the bucket under a path, as its own client sees it: how long each is, and since when.
    pub(crate) fn list(&mut self, under: &str) -> serde_json::Map<String, Value> {
        writeln!(self.orders.as_mut().expect("its orders"), "{under}").expect("the server hears");
        self.heard().expect("the server is there").as_object().expect("a list").clone()
    }

    /// Lets a sandbox in.
    pub(crate) fn admit(&self, sandbox: &mut Sandbox) {
        sandbox.set("AWS_ENDPOINT_URL", &self.url);
        sandbox.set("AWS_ACCESS_KEY_ID", &self.key);
        sandbox.set("AWS_SECRET_ACCESS_KEY", &self.secret);
    }

    /// What nobody else may see.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
