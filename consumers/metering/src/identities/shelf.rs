//! Where the runs of one partition stand: a directory of its own, or memory.
//!
//! **Invariant:** only entries of committed steps come here; what is here is a prefix of the chain that
//! the partition's `identities` topic holds.
//!
//! **Invariant:** who opens the shelf takes it over. What an earlier holder still wanted to put on it
//! is not put on it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drawdown_log::{Next, Point, reach};

use super::Trouble;
use super::catalogue::{CATALOGUE, Catalogue, Listed, run_name};
use super::directory::replace;
use super::entry::Position;
use super::layout::{Extent, Owner};
use super::memory::Table;
use super::merging::{Weight, extent, merge, plan};
use super::run::Run;
use super::writing::{Plan, Writer};

#[derive(Debug)]
pub(super) struct Shelf {
    owner: Owner,
    directory: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the holders.
    holder: u64,
    held: Held,
}

/// What stands on the shelf.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Oldest first.
    pub(super) runs: Vec<Arc<Run>>,
    pub(super) reached: Position,
    pub(super) next: Next,
    number: u64,
}

impl Default for Held {
    fn default() -> Held {
        Held { runs: Vec::new(), reached: Position::default(), next: Next::START, number: 1 }
    }
}

/// Proves who holds the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder(u64);

impl Shelf {
    pub(super) fn new(owner: Owner, directory: Option<PathBuf>) -> Shelf {
        Shelf { owner, directory, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the shelf over with what can be used of it. What is torn or damaged is deleted: all of it
    /// is on the topic too. Another installation's files are refused and left alone.
    pub(super) fn open(&self) -> Result<(Holder, Held), Trouble> {
        let mut state = self.lock();
        state.holder = state.holder.wrapping_add(1);
        state.held = Held::default();
        if let Some(directory) = &self.directory {
            match self.read(directory) {
                Ok(held) => {
                    self.delete_all_but(directory, &held);
                    state.held = held;
                }
                Err(Trouble::Damaged(why)) => {
                    tracing::warn!(
                        partition = self.owner.partition,
                        why,
                        "what was remembered on this machine cannot be used; it is read from the topic again"
                    );
                    self.clear(directory)?;
                }
                Err(other) => return Err(other),
            }
        }
        Ok((Holder(state.holder), state.held.clone()))
    }

    /// Empties the shelf and takes it over.
    pub(super) fn discard(&self) -> Result<Holder, Trouble> {
        let mut state = self.lock();
        state.holder = state.holder.wrapping_add(1);
        state.held = Held::default();
        if let Some(directory) = &self.directory {
            self.clear(directory)?;
        }
        Ok(Holder(state.holder))
    }

    fn read(&self, directory: &Path) -> Result<Held, Trouble> {
        let path = directory.join(CATALOGUE);
        let damaged =
            |why: &dyn std::fmt::Display| Trouble::Damaged(format!("{}: {why}", path.display()));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Held::default()),
            Err(why) => return Err(damaged(&why)),
        };
        let catalogue = Catalogue::decode(&bytes).map_err(|why| damaged(&why))?;
        if catalogue.owner != self.owner {
            return Err(Trouble::Foreign(path.display().to_string()));
        }
        let mut runs = Vec::with_capacity(catalogue.runs.len());
        for listed in &catalogue.runs {
            let name = run_name(listed.number);
            let run = Run::open(&name, &directory.join(&name), self.owner)?;
            if (run.header().from, run.header().to) != (listed.from, listed.to) {
                return Err(damaged(&format!("{name} is not the run that is listed")));
            }
            runs.push(Arc::new(run));
        }
        let Catalogue { reached, next, number, .. } = catalogue;
        Ok(Held { runs, reached, next, number })
    }

    /// Deletes what a crash left behind: unfinished files, and runs that are not in use.
    fn delete_all_but(&self, directory: &Path, held: &Held) {
        let Ok(found) = fs::read_dir(directory) else { return };
        for file in found.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name != CATALOGUE && held.runs.iter().all(|run| run.name != name) {
                // What cannot be deleted now is at the next start.
                fs::remove_file(file.path()).ok();
            }
        }
    }

    fn clear(&self, directory: &Path) -> Result<(), Trouble> {
        let path = directory.join(CATALOGUE);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != ErrorKind::NotFound => {
                return Err(Trouble::Failed(format!("cannot delete {}: {why}", path.display())));
            }
            _ => self.delete_all_but(directory, &Held::default()),
        }
        Ok(())
    }

    /// Puts a full table on the shelf. `next` is where the topic goes on behind it.
    pub(super) fn flush(
        &self,
        holder: Holder,
        table: &Table,
        next: Next,
        kept_from: i32,
    ) -> Result<Vec<Arc<Run>>, Trouble> {
        let mut state = self.lock();
        if holder != Holder(state.holder) {
            return Err(Trouble::Abandoned);
        }
        // An empty shelf begins where the topic does, which has deleted what is old enough.
        let is_empty = state.held.reached == Position::default();
        if table.from != state.held.reached && !is_empty {
            let why = format!("{:?} does not follow {:?}", table.from, state.held.reached);
            return Err(Trouble::Damaged(why));
        }
        let mut held = state.held.clone();
        let sorted = table.sorted(kept_from);
        if let Some(extent) = Extent::of(&sorted) {
            let count = sorted.len() as u64;
            let mut writer = self.begin(&mut held, (table.from, table.to), extent, count)?;
            for entry in &sorted {
                writer.push(*entry)?;
            }
            held.runs.extend(writer.seal()?.map(Arc::new));
        }
        (held.reached, held.next) = (table.to, next);
        self.replace(&mut state, held)
    }

    /// Drops what is forgotten, and merges what is worth it: one step, as small as it can be.
    pub(super) fn tidy(
        &self,
        holder: Holder,
        kept_from: i32,
        ending: &AtomicBool,
    ) -> Result<Vec<Arc<Run>>, Trouble> {
        let mut state = self.lock();
        if holder != Holder(state.holder) {
            return Err(Trouble::Abandoned);
        }
        let mut held = state.held.clone();
        held.runs.retain(|run| run.kept(kept_from) > 0);
        if held.runs.len() == state.held.runs.len()
            && let Some(range) = plan(&weights(&held.runs, kept_from))
        {
            let merged: Vec<Arc<Run>> = held.runs[range.clone()].to_vec();
            let (Some(first), Some(last), Some(extent)) =
                (merged.first(), merged.last(), extent(&merged, kept_from))
            else {
                return Ok(held.runs);
            };
            let part = (first.header().from, last.header().to);
            let count = merged.iter().map(|run| run.kept(kept_from)).sum();
            let mut writer = self.begin(&mut held, part, extent, count)?;
            merge(&merged, kept_from, ending, &mut writer)?;
            held.runs.splice(range, writer.seal()?.map(Arc::new));
        }
        self.replace(&mut state, held)
    }

    fn begin(
        &self,
        held: &mut Held,
        (from, to): (Position, Position),
        extent: Extent,
        expected: u64,
    ) -> Result<Writer, Trouble> {
        let name = run_name(held.number);
        held.number += 1;
        let (owner, directory) = (self.owner, self.directory.clone());
        Writer::begin(Plan { owner, from, to, extent, expected, name, directory })
    }

    /// From here on `held` is what stands on the shelf.
    fn replace(&self, state: &mut State, held: Held) -> Result<Vec<Arc<Run>>, Trouble> {
        if let Some(directory) = &self.directory {
            let listed = |run: &Arc<Run>| {
                let number = run.name.split('.').next().and_then(|digits| digits.parse().ok());
                let (from, to) = (run.header().from, run.header().to);
                Listed { number: number.unwrap_or(0), from, to }
            };
            let catalogue = Catalogue {
                owner: self.owner,
                reached: held.reached,
                next: held.next,
                number: held.number,
                runs: held.runs.iter().map(listed).collect(),
            };
            let replaced = replace(&directory.join(CATALOGUE), &catalogue.encode());
            if let Err(why) = replaced {
                self.delete_all_but(directory, &state.held);
                return Err(why);
            }
            if held.runs.len() <= state.held.runs.len() {
                reach(Point::RunsMerged);
                self.delete_all_but(directory, &held);
            }
        }
        state.held = held;
        Ok(state.held.runs.clone())
    }
}

/// What [`plan`] goes by.
pub(super) fn weights(runs: &[Arc<Run>], kept_from: i32) -> Vec<Weight> {
    let weight = |run: &Arc<Run>| Weight { count: run.count(), kept: run.kept(kept_from) };
    runs.iter().map(weight).collect()
}
