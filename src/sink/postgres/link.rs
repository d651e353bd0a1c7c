//! The connection, and what is done over it.
//!
//! The table `tidemill_progress` has a row per view: whose it is (the id of the run, and the epoch
//! of the run that wrote last), up to which time it is complete, and whether the sources were read
//! to their ends. A transaction that changes tables locks their rows first and changes them too.
//! Tables that are not listed there are somebody else's and never touched. A run that keeps its
//! state, or goes on, puts its id and epoch there when it begins: what an older epoch, or another
//! run, would write from then on is refused.

use super::Target;
use super::shape::{Fit, Found, Shape};
use super::trouble::{Trouble, fatal};
use crate::error::Error;
use crate::sink::Schema;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_postgres::{Client, NoTls, Transaction};

/// For whom a run writes.
#[derive(Clone)]
pub(super) struct Owner {
    /// The id of the state, or of the run.
    pub id: String,
    pub epoch: i64,
    /// Whether it claims the tables when it begins, and is refused when they are claimed by others.
    pub claims: bool,
}

/// How far the tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// They have all changes up to here, in milliseconds since 1970.
    pub cut: i64,
    /// Whether the sources were read to their ends.
    pub ended: bool,
    /// How often they were changed before, and once more.
    pub commits: i64,
}

/// See the module.
pub(super) struct Link {
    target: Target,
    owner: Owner,
    views: Vec<Schema>,
    pub shapes: Vec<Shape>,
    /// The schema, quoted.
    schema: String,
    client: Option<Client>,
    /// Whether it was seen that they may be written.
    claimed: bool,
}

/// How often the locks of another run are tried.
const HOLDS: u32 = 20;

const SETTINGS: &str = "SET client_min_messages = warning; SET lock_timeout = '30s'; \
                        SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                        SET datestyle = 'ISO'; SET timezone = 'UTC'; SET standard_conforming_strings = on";

impl Link {
    /// Connects and claims the tables; gives the time up to which they are this run's, all of them.
    pub async fn open(
        target: Target,
        owner: Owner,
        views: &[Schema],
    ) -> Result<(Link, Option<i64>), Trouble> {
        let mut link = Link {
            target,
            owner,
            views: views.to_vec(),
            shapes: Vec::new(),
            schema: String::new(),
            client: None,
            claimed: false,
        };
        link.connect().await?;
        let at = link.claim().await?;
        link.claimed = true;
        Ok((link, at))
    }

    /// The connection, made anew if it was lost; it is put back after it has served.
    pub async fn take(&mut self) -> Result<Client, Trouble> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.connect().await?;
        }
        self.client.take().ok_or_else(|| Trouble::Lost("there is no connection".into()))
    }

    /// Puts it back.
    pub fn put(&mut self, client: Client) {
        self.client = Some(client);
    }

    async fn connect(&mut self) -> Result<(), Trouble> {
        self.client = None;
        let config = self.target.config().map_err(Trouble::Fatal)?;
        let (client, connection) = config.connect(NoTls).await?;
        // Ends with the client, and its error is that of what the client does next.
        Handle::current().spawn(async { drop(connection.await) });
        client.batch_execute(SETTINGS).await?;
        let row = client.query_one("SELECT quote_ident(current_schema())", &[]).await?;
        let Some(schema) = row.get::<_, Option<String>>(0) else {
            return Err(fatal(
                "there is no schema to write to; make one, or name one in the URL: \
                 ?options=-csearch_path%3DNAME",
            ));
        };
        self.schema = schema;
        self.shapes = self.views.iter().map(|view| Shape::new(view, &self.schema)).collect();
        let stages: String = self.shapes.iter().map(Shape::stage).collect();
        client.batch_execute(&stages).await?;
        self.hold(&client).await?;
        self.client = Some(client);
        Ok(())
    }

    fn names(&self) -> Vec<&'static str> {
        self.views.iter().map(|view| view.name).collect()
    }

    /// Takes a lock per view, which goes with the connection. That of a run that has just been killed
    /// goes soon.
    async fn hold(&self, client: &Client) -> Result<(), Trouble> {
        let select = "SELECT name, pg_try_advisory_lock(hashtext('tidemill ' || current_schema()), \
                      hashtext(name)) FROM unnest($1::text[]) AS name ORDER BY name";
        let mut taken = String::new();
        for _ in 0..HOLDS {
            let rows = client.query(select, &[&self.names()]).await?;
            let Some(row) = rows.iter().find(|row| !row.get::<_, bool>(1)) else { return Ok(()) };
            taken = row.get(0);
            if self.owner.claims && self.owns_already(client).await? {
                // An earlier run of the same state, which is refused from now on by its epoch, or
                // this one before the connection was lost.
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let what = format!("another run writes the table {taken} there");
        match self.claimed {
            true => Err(Trouble::Lost(what)),
            false => {
                Err(fatal(&format!("{what}; wait for its end, or name another database or schema")))
            }
        }
    }

    async fn owns_already(&self, client: &Client) -> Result<bool, Trouble> {
        if !self.has_progress(client).await? {
            return Ok(false);
        }
        let select =
            format!("SELECT run FROM {}.tidemill_progress WHERE view = ANY($1)", self.schema);
        let rows = client.query(&select, &[&self.names()]).await?;
        Ok(!rows.is_empty() && rows.iter().all(|row| row.get::<_, &str>(0) == self.owner.id))
    }

    /// Whether there is the table of progress, which must be ours.
    async fn has_progress(&self, client: &impl Queries) -> Result<bool, Trouble> {
        let found = self.found(client, &["tidemill_progress"]).await?;
        match found.get("tidemill_progress") {
            None => Ok(false),
            Some(Some(found)) if COLUMNS.iter().all(|name| found.columns.contains_key(*name)) => {
                Ok(true)
            }
            Some(_) => Err(not_ours("tidemill_progress")),
        }
    }

    /// What there is of these names in the schema; nothing of what is no table.
    async fn found(
        &self,
        client: &impl Queries,
        names: &[&str],
    ) -> Result<BTreeMap<String, Option<Found>>, Trouble> {
        let rows = client
            .rows(
                "SELECT c.relname::text, c.relkind = 'r', a.attname::text, \
                 format_type(a.atttypid, a.atttypmod), array_position(i.indkey::int2[], a.attnum) \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
                 WHERE n.nspname = current_schema() AND c.relname = ANY($1) ORDER BY 5",
                &names,
            )
            .await?;
        let mut all = BTreeMap::new();
        for row in rows {
            let (name, is_table): (String, bool) = (row.get(0), row.get(1));
            let found: &mut Option<Found> =
                all.entry(name).or_insert_with(|| is_table.then(Found::default));
            let (Some(found), Some(column)) = (found, row.get::<_, Option<String>>(2)) else {
                continue;
            };
            if row.get::<_, Option<i32>>(4).is_some() {
                found.key.push(column.clone());
            }
            found.columns.insert(column, row.get(3));
        }
        Ok(all)
    }

    /// Refuses what is not this run's to write, and notes it as its own.
    async fn claim(&mut self) -> Result<Option<i64>, Trouble> {
        let Some(mut client) = self.client.take() else { return Ok(None) };
        let transaction = client.transaction().await?;
        let marks = self.look(&transaction).await?;
        if self.owner.claims {
            self.note(&transaction, None).await?;
        }
        transaction.commit().await?;
        self.client = Some(client);
        let first = marks.first().copied().flatten();
        let all = marks.len() == self.views.len() && marks.iter().all(|mark| *mark == first);
        Ok(first.filter(|_| all))
    }

    /// Looks at the tables and locks their progress; refuses those of others. Gives up to where each
    /// is that is listed and as it should be, if it is this run's.
    pub async fn look(&self, transaction: &Transaction<'_>) -> Result<Vec<Option<i64>>, Trouble> {
        let names = self.names();
        let mut known = BTreeMap::new();
        if self.has_progress(transaction).await? {
            let select = format!(
                "SELECT view, run, epoch, cut, commits FROM {}.tidemill_progress WHERE view = ANY($1) \
                 ORDER BY view FOR UPDATE",
                self.schema
            );
            for row in transaction.query(&select, &[&names]).await? {
                let (name, run, epoch, cut): (String, String, i64, Option<i64>) =
                    (row.get(0), row.get(1), row.get(2), row.get(3));
                if self.owner.claims && run == self.owner.id && epoch > self.owner.epoch {
                    return Err(self.fenced(&run, epoch));
                }
                // One that was only claimed has no table yet.
                if row.get::<_, i64>(4) > 0 {
                    known.insert(name, cut.filter(|_| run == self.owner.id));
                }
            }
        }
        let found = self.found(transaction, &names).await?;
        let mut marks = Vec::new();
        for shape in &self.shapes {
            match (found.get(shape.name), known.get(shape.name)) {
                (Some(None), _) | (Some(_), None) => return Err(not_ours(shape.name)),
                (Some(Some(found)), Some(cut)) => {
                    marks.push(cut.filter(|_| shape.fit(found) == Fit::Same));
                }
                (None, _) => marks.push(None),
            }
        }
        Ok(marks)
    }

    /// Another run has taken over.
    fn fenced(&self, run: &str, epoch: i64) -> Trouble {
        let own = (run == self.owner.id).then_some(self.owner.epoch);
        let who = match own {
            Some(own) => format!(
                "another run of the same state (epoch {epoch}) writes there now; this one (epoch {own})"
            ),
            None => "another run writes there now; this one".into(),
        };
        let target = &self.target;
        Trouble::Fatal(Error::Cluster(format!("{target}: {who} ends without writing more")))
    }

    /// Sees that the tables are still this run's, and locks their progress. Gives how often they were
    /// changed, and by this run last.
    pub async fn check(&self, transaction: &Transaction<'_>) -> Result<(i64, bool), Trouble> {
        if !self.owner.claims && !self.has_progress(transaction).await? {
            return Ok((0, false));
        }
        let select = format!(
            "SELECT run, epoch, commits FROM {}.tidemill_progress WHERE view = ANY($1) \
             ORDER BY view FOR UPDATE",
            self.schema
        );
        let rows = transaction.query(&select, &[&self.names()]).await?;
        let (mut commits, mut own) = (0, rows.len() == self.views.len());
        for row in &rows {
            let (run, epoch): (&str, i64) = (row.get(0), row.get(1));
            commits = commits.max(row.get(2));
            if run != self.owner.id || epoch != self.owner.epoch {
                own = false;
                if self.owner.claims {
                    return Err(self.fenced(run, epoch));
                }
            }
        }
        match own || !self.owner.claims {
            true => Ok((commits, own)),
            false => Err(fatal("rows of tidemill_progress were removed while the run goes on")),
        }
    }

    /// Makes the tables that are missing and mends those that do not fit.
    pub async fn prepare(&self, transaction: &Transaction<'_>) -> Result<(), Trouble> {
        let found = self.found(transaction, &self.names()).await?;
        for shape in &self.shapes {
            let statements = match found.get(shape.name) {
                None => shape.create(),
                Some(None) => return Err(not_ours(shape.name)),
                Some(Some(found)) => match shape.fit(found) {
                    Fit::Same => continue,
                    Fit::Lacks(columns) => columns.concat(),
                    Fit::Other => shape.replace(),
                },
            };
            transaction.batch_execute(&statements).await?;
        }
        Ok(())
    }

    /// Notes whose the tables are, and how far; where that is not said it stays if it was this run's.
    pub async fn note(
        &self,
        transaction: &Transaction<'_>,
        mark: Option<Mark>,
    ) -> Result<(), Trouble> {
        let table = format!("{}.tidemill_progress", self.schema);
        if !self.has_progress(transaction).await? {
            let create = format!(
                "CREATE TABLE {table} (view text PRIMARY KEY, run text NOT NULL, epoch bigint NOT NULL, \
                 cut bigint, sealed timestamp with time zone, ended boolean NOT NULL, \
                 commits bigint NOT NULL)"
            );
            transaction.batch_execute(&create).await?;
        }
        let upsert = format!(
            "INSERT INTO {table} AS p (view, run, epoch, cut, sealed, ended, commits) \
             SELECT name, $2::text, $3::bigint, $4::bigint, to_timestamp($4::bigint / 1000.0), \
             $5::boolean, $6::bigint \
             FROM unnest($1::text[]) AS name ORDER BY name \
             ON CONFLICT (view) DO UPDATE SET run = excluded.run, epoch = excluded.epoch, \
             cut = CASE WHEN p.run = excluded.run THEN coalesce(excluded.cut, p.cut) ELSE excluded.cut END, \
             sealed = coalesce(excluded.sealed, p.sealed), \
             ended = CASE WHEN excluded.cut IS NULL THEN p.ended ELSE excluded.ended END, \
             commits = greatest(p.commits, excluded.commits)"
        );
        let (cut, ended) = (mark.map(|mark| mark.cut), mark.is_some_and(|mark| mark.ended));
        let (names, owner) = (self.names(), &self.owner);
        let commits = mark.map_or(0, |mark| mark.commits);
        transaction
            .execute(&upsert, &[&names, &owner.id, &owner.epoch, &cut, &ended, &commits])
            .await?;
        Ok(())
    }
}

const COLUMNS: [&str; 7] = ["view", "run", "epoch", "cut", "sealed", "ended", "commits"];

/// How long it is waited before the database is tried again, after so many times.
pub(super) fn backoff(tries: u32) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << tries.min(7)).min(Duration::from_secs(10))
}

fn not_ours(name: &str) -> Trouble {
    Trouble::Fatal(Error::Usage(format!(
        "there is a {name} that tidemill did not make; name another database or schema, or give that \
         another name"
    )))
}

/// What can be asked.
pub(super) trait Queries {
    /// The rows of a statement about names.
    async fn rows(
        &self,
        statement: &str,
        names: &&[&str],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;
}

impl Queries for Client {
    async fn rows(
        &self,
        statement: &str,
        names: &&[&str],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        self.query(statement, &[names]).await
    }
}

impl Queries for Transaction<'_> {
    async fn rows(
        &self,
        statement: &str,
        names: &&[&str],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        self.query(statement, &[names]).await
    }
}
