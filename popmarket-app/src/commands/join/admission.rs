//! Two admins let a newcomer in: one asks, another one approves.

use std::{fs, path::Path, time::Duration};

use ledger::HostPort;
use pbft_crypto::PublicKey;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    api::{Api, ApiError},
    commands::CommandError,
};

/// How often the web is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const REPLICAS: &str = "/v1/network/replicas";
const CHANGES: &str = "/v1/network/replicas/changes";

/// Who asks to be let in, and where.
pub(super) struct Admission<'a> {
    pub(super) web: &'a Api,
    pub(super) key: PublicKey,
    pub(super) address: &'a HostPort,
    pub(super) replace: &'a [u16],
}

/// Session tokens of admins.
pub(super) struct Tokens {
    ask: Option<String>,
    approve: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    has_more: bool,
}

/// A replica of the address book.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) id: u16,
    pub(super) public_key: PublicKey,
    pub(super) address: HostPort,
}

/// A change of the replicas that an admin asked for.
#[derive(Deserialize)]
struct Change {
    id: String,
    proposer: String,
    status: String,
    edit: Value,
}

/// How far it is.
#[derive(PartialEq)]
enum Stage {
    Nothing,
    Asked(String),
}

impl Tokens {
    pub(super) fn read(ask: Option<&Path>, approve: Option<&Path>) -> Result<Self, CommandError> {
        let read = |path: &Path| {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))?;
            Ok::<_, CommandError>(text.trim().to_owned())
        };
        Ok(Self { ask: ask.map(read).transpose()?, approve: approve.map(read).transpose()? })
    }
}

impl Admission<'_> {
    /// Waits until the ledger has the newcomer, and says under which id. With tokens it asks and approves itself.
    pub(super) async fn wait(&self, mut tokens: Tokens) -> Result<u16, CommandError> {
        let mut stage = None;
        let mut silent = false;
        loop {
            match self.look(&mut stage, &mut tokens).await {
                Ok(Some(id)) => {
                    mention!("approved: it is replica {id}");
                    return Ok(id);
                }
                Ok(None) => silent = false,
                Err(error @ CommandError::Usage(_)) => return Err(error),
                // The member may have been started anew.
                Err(error) => {
                    if stage.is_none() {
                        return Err(error);
                    }
                    if !silent {
                        complain!("{error}; asks again");
                    }
                    silent = true;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look(
        &self,
        stage: &mut Option<Stage>,
        tokens: &mut Tokens,
    ) -> Result<Option<u16>, CommandError> {
        if let Some(entry) = self.book().await?.into_iter().find(|entry| entry.public_key == self.key) {
            return Ok(Some(entry.id));
        }
        let open = self.open_change().await?;
        if let (None, Some(Stage::Asked(id))) = (&open, &*stage) {
            self.refuse_rejected(id).await?;
        }
        let now = open.as_ref().map_or(Stage::Nothing, |change| Stage::Asked(change.id.clone()));
        let news = stage.as_ref() != Some(&now);
        *stage = Some(now);
        match open {
            None => self.ask(tokens, news).await?,
            Some(change) => self.approve(tokens, &change, news).await?,
        }
        Ok(None)
    }

    /// The present address book.
    pub(super) async fn book(&self) -> Result<Vec<Entry>, CommandError> {
        Ok(self.web.get::<List<Entry>>(REPLICAS).await?.data)
    }

    async fn open_change(&self) -> Result<Option<Change>, CommandError> {
        let key = self.key.to_string();
        let mut after = String::new();
        loop {
            let List { data, has_more } = self.page(&after).await?;
            let last: Option<String> = data.last().map(|change: &Change| change.id.clone());
            if let Some(change) = data.into_iter().find(|change| adds(&change.edit, &key)) {
                return Ok(Some(change));
            }
            match last.filter(|_| has_more) {
                Some(last) => after = format!("&starting_after={last}"),
                None => return Ok(None),
            }
        }
    }

    async fn page<T: DeserializeOwned>(&self, after: &str) -> Result<List<T>, CommandError> {
        Ok(self.web.get(&format!("{CHANGES}?status=PROPOSED&limit=100{after}")).await?)
    }

    async fn refuse_rejected(&self, id: &str) -> Result<(), CommandError> {
        let change: Change = self.web.get(&format!("{CHANGES}/{id}")).await?;
        if change.status != "REJECTED" {
            return Ok(());
        }
        Err(CommandError::Usage("an admin has turned the change down; start again to ask once more".into()))
    }

    async fn ask(&self, tokens: &mut Tokens, news: bool) -> Result<(), CommandError> {
        let body = self.wish();
        match tokens.ask.take() {
            Some(token) => {
                self.post(REPLICAS, &token, Some(&body)).await?;
                mention!("asked");
            }
            None if news => {
                mention!(
                    "\nAn admin has to ask for it, on the page /network or with\n\n  POST {REPLICAS} {body}\n"
                );
            }
            None => {}
        }
        Ok(())
    }

    async fn approve(&self, tokens: &mut Tokens, change: &Change, news: bool) -> Result<(), CommandError> {
        let path = format!("{CHANGES}/{}/approve", change.id);
        match tokens.approve.take() {
            Some(token) => self.post(&path, &token, None).await?,
            None if news => {
                mention!("asked for by {}", change.proposer);
                mention!(
                    "\nAnother admin has to approve it, on the page /network or with\n\n  POST {path}\n"
                );
            }
            None => {}
        }
        Ok(())
    }

    /// What an admin may not do, or not so, is not tried again.
    async fn post(&self, path: &str, token: &str, body: Option<&Value>) -> Result<(), CommandError> {
        let sent = self.web.post::<Value>(path, token, body).await;
        sent.map(drop).map_err(|error: ApiError| CommandError::Usage(error.to_string()))
    }

    fn wish(&self) -> Value {
        let (public_key, address) = (self.key.to_string(), self.address.as_str());
        if self.replace.is_empty() {
            return json!({"action": "add", "public_key": public_key, "address": address});
        }
        let add = [json!({"public_key": public_key, "address": address})];
        json!({"action": "replace", "remove": self.replace, "add": add})
    }
}

/// Whether a change takes in the replica with this key, by itself or among others.
fn adds(edit: &Value, key: &str) -> bool {
    let is_this = |replica: &Value| replica["public_key"].as_str() == Some(key);
    let among = |replicas: &Value| replicas.as_array().is_some_and(|all| all.iter().any(is_this));
    is_this(&edit["add"]["replica"]) || among(&edit["replace"]["add"])
}
