//! Keys of the API: who may act under a name, and with which role (R11.1).

use crate::BookKeeper;
use crate::fields::{Fields, NOT_FOUND, Refusal};
use crate::rights::OPERATOR;

impl BookKeeper {
    /// What a key names has the role that the key was made with. A name stays with the enterprise in which it was
    /// first used; an account's root alone lets a key act as itself.
    pub(crate) fn create_key(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let key = self.wanted_role(fields)?;
        let principal = key.0.clone();
        let enterprise = self.enterprise_of(&key.2);
        if [OPERATOR, "unknown"].contains(&principal.as_str()) {
            return Err("already_exists");
        }
        match self.accounts.get(&principal) {
            Some(account) if account.enterprise != enterprise => {
                return Err("different_enterprise");
            }
            Some(_) => self.is_it(&principal)?,
            None => {}
        }
        let is_elsewhere = |of: &String| *of != enterprise;
        if self.granted.names.get(&principal).is_some_and(is_elsewhere)
            || self.granted.keys.contains(&key)
        {
            return Err("already_exists");
        }
        let limit = self.wanted_limit(fields, &key.2)?;
        self.granted.names.entry(principal.clone()).or_insert(enterprise);
        self.granted.with_keys.insert(principal);
        self.granted.keys.insert(key.clone());
        self.granted.roles.insert(key, limit);
        Ok(())
    }

    /// With its key a name loses the role, too.
    pub(crate) fn revoke_key(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let key = self.wanted_role(fields)?;
        if !self.granted.keys.remove(&key) {
            return Err(NOT_FOUND);
        }
        self.granted.roles.remove(&key);
        Ok(())
    }

    /// Whether somebody acts, or has acted, under this name without being an account.
    pub(crate) fn is_name_of_a_key(&self, name: &str) -> bool {
        self.granted.with_keys.contains(name)
    }
}
