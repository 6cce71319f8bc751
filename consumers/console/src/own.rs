//! Lists of our own installation only: those of another one's database would pass for ours.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;

use crate::lists::{ClickHouse, Coming, Format, Lists, NoList, Query, Row, Wanted};
use crate::views::{List, View};

/// ClickHouse's lists, once it is known whose they are.
#[derive(Debug)]
pub struct OwnLists {
    clickhouse: ClickHouse,
    installation: String,
    /// A database does not change hands while it is read.
    is_ours: AtomicBool,
}

impl OwnLists {
    /// `installation` is what ANALYTICS claims the database with.
    pub fn new(clickhouse: ClickHouse, installation: String) -> OwnLists {
        OwnLists { clickhouse, installation, is_ours: AtomicBool::new(false) }
    }

    async fn ours(&self) -> Result<&ClickHouse, NoList> {
        if self.is_ours.load(Ordering::Acquire) {
            return Ok(&self.clickhouse);
        }
        let ClickHouse { address, database, .. } = &self.clickhouse;
        match self.clickhouse.owner().await? {
            Some(owner) if owner == self.installation => {
                self.is_ours.store(true, Ordering::Release);
                Ok(&self.clickhouse)
            }
            Some(_) => Err(NoList::Away(format!(
                "the database {database} of ClickHouse at {address} belongs to another installation; name one for this installation alone in clickhouse.url and clickhouse.database, and run `drawdown worker analytics` to fill it"
            ))),
            None => Err(NoList::Away(format!(
                "the database {database} of ClickHouse at {address} is not filled yet; `drawdown worker analytics` fills it"
            ))),
        }
    }
}

impl Lists for OwnLists {
    fn rows<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
    ) -> Coming<'a, Vec<Row>> {
        Box::pin(async move { self.ours().await?.rows(view, list, wanted).await })
    }

    fn export<'a>(
        &'a self,
        view: &'a View,
        list: &'a List,
        wanted: &'a Wanted,
        format: Format,
    ) -> Coming<'a, Body> {
        Box::pin(async move { self.ours().await?.export(view, list, wanted, format).await })
    }

    fn asked<'a>(&'a self, query: &'a Query) -> Coming<'a, Vec<Row>> {
        Box::pin(async move { self.ours().await?.asked(query).await })
    }
}
