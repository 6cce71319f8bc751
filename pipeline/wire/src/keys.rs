//! Keys for the API: how one is made, and how it is known again. Only its hash is ever on the log.

use drawdown_domain::commands::CreateKey;
use drawdown_domain::ids::{PrincipalId, ScopeId, Text};
use sha2::{Digest, Sha256};

use crate::signature::Secret;

/// Stands between the scope that a key begins with and what nobody can guess.
const BETWEEN: char = '~';

/// Gives a command the hash of a key that is made for it, unless it brings one of its own; the key, if it was made.
///
/// It follows from the installation's secret, from who asks and from his idempotency key. So whoever repeats a command
/// whose answer was lost gets the same answer (R11.5), from any process, and nobody keeps the key meanwhile.
pub fn make(
    command: &mut CreateKey,
    secret: &Secret,
    asker: &PrincipalId,
    idempotency_key: &str,
) -> Option<String> {
    if command.hash.is_some() {
        return None;
    }
    // Ids hold no blanks, so no two askers and keys make one purpose.
    let secret = secret.derived(&format!("api key {asker} {idempotency_key}"));
    let key = format!("{}{BETWEEN}{}", command.scope, digits(&secret));
    command.hash = Some(hash_of(&key));
    Some(key)
}

/// As which hash a key is known.
pub fn hash_of(key: &str) -> Text {
    Text::fitting(&digits(&Sha256::digest(key.as_bytes())))
}

/// The scope that a key begins with; none if it is no key of this kind.
pub fn scope_of(key: &str) -> Option<ScopeId> {
    let (scope, secret) = key.split_once(BETWEEN)?;
    if secret.is_empty() {
        return None;
    }
    scope.parse().ok()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use drawdown_domain::rights::Role;

    fn asked() -> CreateKey {
        CreateKey {
            principal: "ci".parse().unwrap(),
            role: Role::Platform,
            scope: "ba-acme".parse().unwrap(),
            top_up_limit: None,
            hash: None,
        }
    }

    fn made(secret: u8, asker: &str, key: &str) -> String {
        let mut command = asked();
        let secret = Secret::new([secret; 32]);
        let made = make(&mut command, &secret, &asker.parse().unwrap(), key).unwrap();
        assert_eq!(command.hash, Some(hash_of(&made)));
        assert_eq!(scope_of(&made), Some(command.scope));
        made
    }

    /// R11.5: whoever repeats a command gets the same key, and nobody else does.
    #[test]
    fn r11_5_a_key_follows_from_who_asks_under_which_idempotency_key() {
        let key = made(1, "acme", "k");
        assert_eq!(made(1, "acme", "k"), key);
        for other in [made(2, "acme", "k"), made(1, "acme", "l"), made(1, "other", "k")] {
            assert_ne!(other, key);
        }
        let text = hash_of(&key);
        assert!(!key.contains(text.as_str()) && text.as_str().len() == 64);
    }

    #[test]
    fn whoever_brings_a_hash_is_made_no_key() {
        let hash = Some(hash_of("ba-acme~mine"));
        let mut command = CreateKey { hash: hash.clone(), ..asked() };
        let made = make(&mut command, &Secret::new([1; 32]), &"acme".parse().unwrap(), "k");
        assert_eq!((made, command.hash), (None, hash));
    }

    #[test]
    fn other_keys_name_no_scope() {
        for other in ["demo", "~x", "ba-acme~", "BA~x", ""] {
            assert_eq!(scope_of(other), None, "{other}");
        }
    }
}
