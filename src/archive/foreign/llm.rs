//! The log of the `llm` tool: `logs.db`.

use super::sqlite::Database;
use super::{Foreign, ForeignMessage};
use crate::clock::Time;
use crate::message::Role;
use crate::privacy::Raw;
use std::collections::BTreeMap;

/// An exchange: when, and its messages.
type Exchange = (String, Vec<ForeignMessage>);

pub(super) fn read(bytes: &[u8]) -> Option<Vec<Foreign>> {
    let database = Database::open(bytes)?;
    let mut about: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    database.rows("conversations", &mut |row| {
        if let Some(id) = row.text("id") {
            let own = |column| row.text(column).map(str::to_owned);
            about.insert(id.to_owned(), (own("name"), own("model")));
        }
    });
    let mut exchanges: BTreeMap<String, Vec<Exchange>> = BTreeMap::new();
    let there = database.rows("responses", &mut |row| {
        let when = row.text("datetime_utc").unwrap_or_default();
        let at = Time::parse(when).or_else(|| Time::parse(&format!("{when}Z")));
        let model = row.text("model").map(str::to_owned);
        let said = [("system", Role::System), ("prompt", Role::User), ("response", Role::Assistant)];
        let said = said.into_iter().filter_map(|(column, role)| {
            let model = model.clone().filter(|_| role == Role::Assistant);
            Some(ForeignMessage { role, text: Raw::from(row.text(column)?), at, model })
        });
        // What belongs to no conversation is one of its own.
        let id = row.text("conversation_id").or_else(|| row.text("id")).unwrap_or_default();
        exchanges.entry(id.to_owned()).or_default().push((when.to_owned(), said.collect()));
    });
    there.then(|| {
        let conversation = |(id, mut all): (String, Vec<Exchange>)| {
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            let (name, model) = about.remove(&id).unwrap_or_default();
            Foreign { title: name.map(Raw::from), model, said: all.into_iter().flat_map(|(_, said)| said).collect(), here: None }
        };
        exchanges.into_iter().map(conversation).collect()
    })
}
