//! The tables and views, made by numbered files: each is run once and remembered with its checksum.
//!
//! **Invariant:** every statement of a file may be run again, because a process may end between two of them
//! and two may run them at once.

use crate::store::{Store, Trouble};

/// A file of `schemas/clickhouse`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub number: u32,
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! migrations {
    ($($number:literal = $name:literal,)*) => {
        /// All of them, in their order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            number: $number,
            name: $name,
            text: include_str!(concat!("../../../schemas/clickhouse/", $name, ".sql")),
        }),*];
    };
}

migrations! {
    1 = "0001_tables",
    2 = "0002_views",
    3 = "0003_spend_by_day",
}

const MADE: &str = "CREATE TABLE IF NOT EXISTS migrations
    (number UInt32, name String, checksum UInt32, at DateTime64(3, 'UTC') DEFAULT now64(3))
    ENGINE = MergeTree ORDER BY number
    SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1
    COMMENT 'Which files of schemas/clickhouse were run'";

const OWNED: &str = "CREATE TABLE IF NOT EXISTS installation
    (installation String, at DateTime64(3, 'UTC') DEFAULT now64(3))
    ENGINE = MergeTree ORDER BY at
    SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1
    COMMENT 'Which installation fills this database'";

impl Migration {
    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(self.text.as_bytes())
    }

    fn statements(&self) -> impl Iterator<Item = &'static str> {
        self.text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
    }
}

/// Writes down whose the database is, if nobody has, and refuses that of another installation: its rows would be
/// taken for ours, and ours for its. Of two that claim it at once the first has it.
pub async fn claim(store: &Store, installation: &str) -> Result<(), Trouble> {
    store.make_database().await?;
    store.run(OWNED).await?;
    let query = "SELECT installation FROM installation ORDER BY at, installation LIMIT 1";
    let mut owner = store.rows::<String>(query).await?;
    if owner.is_empty() {
        let claimed = format!("INSERT INTO installation (installation) SELECT '{installation}'");
        store.insert_selected(&claimed, &format!("installation/{installation}")).await?;
        owner = store.rows::<String>(query).await?;
    }
    match owner.first() {
        Some(owner) if owner == installation => Ok(()),
        _ => Err(Trouble::Permanent(format!(
            "ClickHouse's database {database} belongs to another installation; give this one a database of its own (clickhouse.database), or, if the other one is gone, drop {database}: it is filled again from the log",
            database = store.database()
        ))),
    }
}

/// Makes what is not there yet. A database of a later version, or one whose files were changed since, is refused.
pub async fn migrate(store: &Store, migrations: &[Migration]) -> Result<(), Trouble> {
    store.make_database().await?;
    store.run(MADE).await?;
    let query =
        "SELECT number, any(name), any(checksum) FROM migrations GROUP BY number ORDER BY number";
    let known = store.rows::<(u32, String, u32)>(query).await?;
    check(store.database(), migrations, &known)?;
    for migration in migrations {
        if known.iter().any(|(number, _, _)| *number == migration.number) {
            continue;
        }
        for statement in migration.statements() {
            store.run(statement).await?;
        }
        let Migration { number, name, .. } = migration;
        let remember = format!(
            "INSERT INTO migrations (number, name, checksum) SELECT {number}, '{name}', {}",
            migration.checksum()
        );
        store.insert_selected(&remember, &format!("migration/{number}")).await?;
        tracing::info!(migration = name, database = store.database(), "ClickHouse is migrated");
    }
    Ok(())
}

/// Refuses what this version does not know, or knows otherwise.
fn check(
    database: &str,
    migrations: &[Migration],
    known: &[(u32, String, u32)],
) -> Result<(), Trouble> {
    for (number, name, checksum) in known {
        let Some(ours) = migrations.iter().find(|ours| ours.number == *number) else {
            return Err(Trouble::Permanent(format!(
                "ClickHouse's database {database} has the migration {name} of a later version: use that version, or another database"
            )));
        };
        if ours.name != name || ours.checksum() != *checksum {
            return Err(Trouble::Permanent(format!(
                "the migration {name} that ClickHouse's database {database} has is not the {} of this version: drop the database, and it is filled again from the log",
                ours.name
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_one_after_the_other() {
        for (migration, number) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(migration.number, number);
            assert!(migration.name.starts_with(&format!("{number:04}_")), "{}", migration.name);
            assert!(migration.statements().count() > 0);
        }
    }

    #[test]
    fn a_changed_or_later_migration_is_refused_by_name() {
        let known = |number, name: &str, checksum| vec![(number, name.to_owned(), checksum)];
        let first = &MIGRATIONS[0];
        assert_eq!(check("d", MIGRATIONS, &[]), Ok(()));
        assert_eq!(check("d", MIGRATIONS, &known(1, first.name, first.checksum())), Ok(()));
        let changed = check("d", MIGRATIONS, &known(1, first.name, first.checksum() ^ 1));
        assert!(changed.unwrap_err().to_string().contains(first.name));
        let later = check("d", MIGRATIONS, &known(99, "0099_more", 1)).unwrap_err();
        assert!(later.to_string().contains("0099_more") && !later.is_passing());
    }
}
