//! Whom keys act as: a name that is no account's belongs to the enterprise that first gave it a role or a key, for good, or
//! whoever gets a key of that name elsewhere would have the roles that it was given there. Whether there is a key the
//! ledger says.

use super::{Admission, Claimed, Registry, RegistryFact, is_taken};
use crate::commands::{CreateKey, GrantRole, Subject};
use crate::ids::{EnterpriseId, PrincipalId};
use crate::ledger::keys::is_hash;
use crate::record;
use crate::refusal::Refusal;

record! {
    /// A name that somebody acts under who is no account's root, and whose it is.
    pub struct ActingName {
        pub principal: PrincipalId,
        pub enterprise: EnterpriseId,
        /// So many roles and keys are still to be decided.
        pub asked: u32,
        /// Some role was given, or some key made.
        pub kept: bool,
    }
}

impl Registry {
    /// What concerns all enterprises: that nobody acts in another one's name.
    pub(super) fn create_key(
        &mut self,
        number: u64,
        command: &CreateKey,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let refused = |refusal, why: &str| Admission::Refused(refusal, Some(why.to_owned()));
        match &command.hash {
            None => {
                return refused(Refusal::Malformed, "a key that the log is to know needs its hash");
            }
            Some(hash) if !is_hash(hash) => {
                let why =
                    "hash is the SHA-256 of the key, as 64 hexadecimal digits in small letters";
                return refused(Refusal::Malformed, why);
            }
            Some(_) => {}
        }
        let Some(enterprise) = self.enterprise_of(Subject::Scope(&command.scope)) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        let principal = command.principal.clone();
        if is_taken(&principal) {
            return refused(
                Refusal::AlreadyExists,
                "somebody else acts under this name; take another one",
            );
        }
        let account = principal.account();
        match self.enterprise_of(Subject::Account(&account)) {
            Some(own) if own == enterprise => return Admission::Forward(enterprise),
            Some(_) => {
                let why =
                    format!("{account} is an account of another enterprise than {}", command.scope);
                return Admission::Refused(Refusal::DifferentEnterprise, Some(why));
            }
            None => {}
        }
        if self.acts_elsewhere(&principal, &enterprise) {
            return refused(
                Refusal::AlreadyExists,
                "somebody else acts under this name; take another one",
            );
        }

        self.claim_acting(number, principal, enterprise, facts)
    }

    /// Whoever it is given to: the first enterprise that does so has the name.
    pub(super) fn grant_role(
        &mut self,
        number: u64,
        command: &GrantRole,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let Some(enterprise) = self.enterprise_of(Subject::Scope(&command.scope)) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        let principal = command.principal.clone();
        let is_account = self.accounts.contains_key(&principal.account());
        if is_account || is_taken(&principal) || self.acts_elsewhere(&principal, &enterprise) {
            return Admission::Forward(enterprise);
        }

        self.claim_acting(number, principal, enterprise, facts)
    }

    fn claim_acting(
        &mut self,
        number: u64,
        principal: PrincipalId,
        enterprise: EnterpriseId,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let acts = Some(principal);
        self.record(Claimed { acts, ..Claimed::of(number, enterprise.clone()) }, facts);
        Admission::Forward(enterprise)
    }

    /// Whether a name belongs to another enterprise.
    pub(super) fn acts_elsewhere(&self, name: &PrincipalId, enterprise: &EnterpriseId) -> bool {
        self.acting.get(name).is_some_and(|known| known.enterprise != *enterprise)
    }

    /// A name is asked for.
    pub(super) fn claim_name(&mut self, principal: &PrincipalId, enterprise: &EnterpriseId) {
        let fresh = || ActingName {
            principal: principal.clone(),
            enterprise: enterprise.clone(),
            asked: 0,
            kept: false,
        };
        let known = self.acting.entry(principal.clone()).or_insert_with(fresh);
        known.asked = known.asked.saturating_add(1);
    }

    /// It was decided: a name that nobody else asked for is free again.
    pub(super) fn settle_name(&mut self, principal: &PrincipalId, kept: bool) {
        let Some(known) = self.acting.get_mut(principal) else { return };
        known.asked = known.asked.saturating_sub(1);
        known.kept |= kept;
        if known.asked == 0 && !known.kept {
            self.acting.remove(principal);
        }
    }
}
