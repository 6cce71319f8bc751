//! Keys for the API: who holds one acts as the principal that it names. The registry keeps names apart between
//! enterprises; which keys an enterprise has, and whether they are in force, is state here, in the same order as all
//! that they open.

use super::fact::{Journal, KeyCreated, KeyRevoked, RoleGranted, RoleRevoked};
use super::state::{ApiKey, Enterprise, Grant};
use super::{EnterpriseNumber, Ledger, Undecided};
use crate::commands::{CreateKey, RevokeKey};
use crate::ids::{PrincipalId, ScopeId, Text};
use crate::record;
use crate::refusal::Refusal;
use crate::rights::Role;
use crate::time::Timestamp;

record! {
    /// A key that opens the API.
    pub struct KeyRow {
        pub principal: PrincipalId,
        pub role: Role,
        /// The billing account or enterprise it was made for.
        pub scope: String,
        pub created_at: Timestamp,
    }
}

impl ApiKey {
    pub(super) fn is_in_force(&self) -> bool {
        self.revoked_at.is_none()
    }
}

impl Ledger {
    pub(super) fn create_key(
        &mut self,
        command: &CreateKey,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (enterprise, wallet) = self.scope(&command.scope).ok_or(Refusal::NotFound)?;
        let hash = command.hash.clone().ok_or(Refusal::Malformed)?;
        let taken = |key: &ApiKey| {
            key.hash == hash || key.is_in_force() && key.principal == command.principal
        };
        if self.keys_of(enterprise).iter().any(taken) {
            return Err(Refusal::AlreadyExists.into());
        }
        self.limit_is_payable(wallet, command.top_up_limit)?;

        let (principal, role) = (command.principal.clone(), command.role);
        let top_up_limit = command.top_up_limit;
        let grant = Grant { principal: principal.clone(), role, wallet, top_up_limit };
        self.record(journal, RoleGranted { enterprise, grant })?;
        let (created_at, revoked_at) = (self.clock.now(), None);
        let key = ApiKey { principal, role, wallet, hash, created_at, revoked_at };
        self.record(journal, KeyCreated { enterprise, key })?;
        Ok(())
    }

    pub(super) fn revoke_key(
        &mut self,
        command: &RevokeKey,
        journal: &mut dyn Journal,
    ) -> Result<(), Undecided> {
        let (enterprise, wallet) = self.scope(&command.scope).ok_or(Refusal::NotFound)?;
        let RevokeKey { principal, role, .. } = command.clone();
        let named = (&principal, role, wallet);
        let meant =
            |key: &ApiKey| key.is_in_force() && (&key.principal, key.role, key.wallet) == named;
        if !self.keys_of(enterprise).iter().any(meant) {
            return Err(Refusal::NotFound.into());
        }

        let at = self.clock.now();
        self.record(journal, KeyRevoked { enterprise, principal: principal.clone(), at })?;
        // The role may have been taken away before.
        let grants = self.enterprise(enterprise).map(|found| found.grants.as_slice());
        let key = (&principal, role, wallet);
        if grants.unwrap_or_default().iter().any(|grant| grant.key() == key) {
            self.record(journal, RoleRevoked { enterprise, principal, role, wallet })?;
        }
        Ok(())
    }

    /// Whom the holder of a key acts as, by the scope that it begins with and its hash.
    pub fn key_holder(&self, scope: &ScopeId, hash: &str) -> Option<&PrincipalId> {
        let (enterprise, _) = self.scope(scope)?;
        let held = |key: &&ApiKey| key.is_in_force() && key.hash.as_str() == hash;
        self.keys_of(enterprise).iter().find(held).map(|key| &key.principal)
    }

    fn keys_of(&self, enterprise: EnterpriseNumber) -> &[ApiKey] {
        self.enterprise(enterprise).map(|found| found.keys.as_slice()).unwrap_or_default()
    }

    pub(super) fn key_rows(&self, enterprise: &Enterprise) -> Vec<KeyRow> {
        let row = |key: &ApiKey| {
            let wallet = key.wallet.and_then(|wallet| self.wallet(wallet));
            KeyRow {
                principal: key.principal.clone(),
                role: key.role,
                scope: wallet.map_or(enterprise.id.to_string(), |wallet| wallet.id.to_string()),
                created_at: key.created_at,
            }
        };
        enterprise.keys.iter().filter(|key| key.is_in_force()).map(row).collect()
    }

    /// Why a key cannot be made, to whoever is refused one.
    pub(super) fn key_taken(&self, command: &CreateKey) -> Option<String> {
        let (enterprise, _) = self.scope(&command.scope)?;
        let known = |key: &&ApiKey| Some(&key.hash) == command.hash.as_ref();
        Some(match self.keys_of(enterprise).iter().find(known) {
            Some(key) if !key.is_in_force() => {
                "this very key was revoked; ask under another idempotency key".to_owned()
            }
            Some(key) => format!("this very key is that of {}", key.principal),
            None => format!("{} has a key; revoke it, or choose another name", command.principal),
        })
    }
}

/// Whether a text can be the hash of a key: a SHA-256 in small hexadecimal digits.
pub(crate) fn is_hash(text: &Text) -> bool {
    let digits = text.as_str().as_bytes();
    digits.len() == 64 && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
