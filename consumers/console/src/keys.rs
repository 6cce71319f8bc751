//! Who asks: keys that come as `Authorization: Bearer`, or from our own pages as a cookie. Some are named by the
//! configuration; who holds one that was made by a command its ledger says.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderValue, ORIGIN};
use axum::http::{HeaderMap, Method};
use drawdown_domain::ids::PrincipalId;
use drawdown_wire::keys::{hash_of, scope_of};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Site;
use crate::problem::Problem;
use crate::rows::Answer;

/// The cookie that our own pages keep a key in.
pub(crate) const KEY_COOKIE: &str = "drawdown-key";

/// The keys that open the console from the beginning. Only their hashes are kept.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    known: Vec<(PrincipalId, [u8; 32])>,
    /// Who opens our pages without a key: only where the demo key is in force.
    visitor: Option<PrincipalId>,
}

/// Who asks, as far as the configuration says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker<'a> {
    Known(PrincipalId),
    /// Whoever holds this key; if nobody does, who opens our pages without one.
    Holder {
        key: &'a str,
        visitor: Option<PrincipalId>,
    },
    Nobody,
}

/// A key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    #[error("console.keys.{0}: no principal is called so: {1}")]
    Principal(String, String),
    #[error("console.keys.{0} must be the SHA-256 of the key, as 64 hexadecimal digits")]
    Hash(String),
}

impl Keys {
    /// Keys by principal, as SHA-256 in hexadecimal digits, and a demo key, which acts as the operator
    /// and lets visitors see the pages without one.
    pub fn new(hashes: &BTreeMap<String, String>, demo_key: Option<&str>) -> Result<Keys, NotAKey> {
        let mut keys = Keys::default();
        for (name, hash) in hashes {
            let principal = name.parse::<PrincipalId>();
            let principal =
                principal.map_err(|error| NotAKey::Principal(name.clone(), error.to_string()))?;
            let hash = from_hex(hash).ok_or_else(|| NotAKey::Hash(name.clone()))?;
            keys.known.push((principal, hash));
        }
        if let Some(key) = demo_key {
            keys.known.push((PrincipalId::operator(), hash(key)));
            keys.visitor = Some(PrincipalId::operator());
        }
        Ok(keys)
    }

    /// Whether the configuration has a key of somebody who is called so.
    pub(crate) fn name(&self, principal: &PrincipalId) -> bool {
        self.known.iter().any(|(known, _)| known == principal)
    }

    /// Who holds the key. Every key is compared, and in a time that says nothing about where it differs.
    fn holder(&self, key: &str) -> Option<&PrincipalId> {
        let asked = hash(key);
        let mut holder = None;
        for (principal, known) in &self.known {
            if bool::from(known.ct_eq(&asked)) {
                holder = Some(principal);
            }
        }
        holder
    }

    /// Without a key in the header only a browser on our own pages is let in, so that no foreign page can ask in its
    /// visitor's name.
    pub(crate) fn who<'a>(&self, method: &Method, headers: &'a HeaderMap) -> Asker<'a> {
        if let Some(authorization) = headers.get(AUTHORIZATION) {
            return bearer(authorization).map_or(Asker::Nobody, |key| self.asker(key, None));
        }
        if !from_own_page(method, headers) {
            return Asker::Nobody;
        }
        match (cookie(headers, KEY_COOKIE), self.visitor.clone()) {
            (Some(key), visitor) => self.asker(key, visitor),
            (None, Some(visitor)) => Asker::Known(visitor),
            (None, None) => Asker::Nobody,
        }
    }

    fn asker<'a>(&self, key: &'a str, visitor: Option<PrincipalId>) -> Asker<'a> {
        match self.holder(key) {
            Some(known) => Asker::Known(known.clone()),
            None => Asker::Holder { key, visitor },
        }
    }
}

fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, key) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// So long it is remembered who holds a key, unless some key is revoked meanwhile.
const HOLDER_KNOWN_FOR: Duration = Duration::from_secs(10);
const HOLDERS_MAX: usize = 100_000;

/// Who holds which keys that were made by commands, lately.
#[derive(Debug, Default)]
pub(crate) struct Holders(Mutex<HashMap<String, Held>>);

#[derive(Debug)]
struct Held {
    by: PrincipalId,
    asked_at: Instant,
    /// How many revocations had been heard of before its ledger was asked.
    revocations: u64,
}

impl Holders {
    fn known(&self, hash: &str, revocations: u64) -> Option<PrincipalId> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.get(hash)?;
        let holds = held.revocations == revocations && held.asked_at.elapsed() < HOLDER_KNOWN_FOR;
        holds.then(|| held.by.clone())
    }

    fn note(&self, hash: &str, by: &PrincipalId, revocations: u64, asked_at: Instant) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= HOLDERS_MAX {
            held.clear();
        }
        held.insert(hash.to_owned(), Held { by: by.clone(), asked_at, revocations });
    }
}

/// Who holds a key: as the configuration says, or else the ledger for which it was made. That is asked again once
/// some key was revoked, and soon anyway.
pub(crate) async fn holder(site: &Site, key: &str) -> Result<Option<PrincipalId>, Problem> {
    if let Some(known) = site.options.keys.holder(key) {
        return Ok(Some(known.clone()));
    }
    // Anything else is no key that a ledger could know.
    let Some(scope) = scope_of(key) else { return Ok(None) };
    let hash = hash_of(key);
    let (revocations, asked_at) = (site.feed.revocations(), Instant::now());
    if let Some(known) = site.holders.known(hash.as_str(), revocations) {
        return Ok(Some(known));
    }
    match site.rows.ask("key", &format!("{scope}:{hash}")).await {
        Ok(Answer::Row(row)) => {
            let principal = row.get("principal").and_then(Value::as_str);
            let principal = principal.and_then(|name| name.parse::<PrincipalId>().ok());
            if let Some(principal) = &principal {
                site.holders.note(hash.as_str(), principal, revocations, asked_at);
            }
            Ok(principal)
        }
        Ok(Answer::NotHere) => Ok(None),
        Ok(Answer::NoSuchView(why)) => Err(Problem::unavailable(why)),
        Err(why) => Err(Problem::unavailable(why.to_string())),
    }
}

/// Whether a browser says that one of our own pages, or its user, asks.
fn from_own_page(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        // Somebody who opens a page from elsewhere only looks.
        let looks = method == Method::GET && text("sec-fetch-mode") == Some("navigate");
        return matches!(site, "same-origin" | "none") || looks;
    }
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match (origin.and_then(|origin| origin.split_once("://")), host) {
        (Some((_, origin)), Some(host)) => origin == host,
        _ => false,
    }
}

pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        keys: &Keys,
        method: Method,
        headers: &[(&'static str, &str)],
        expected: Option<&str>,
    ) {
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), value.parse().unwrap())
        });
        let headers = headers.collect();
        let found = match keys.who(&method, &headers) {
            Asker::Known(who) => Some(who),
            Asker::Holder { visitor, .. } => visitor,
            Asker::Nobody => None,
        };
        assert_eq!(found.as_ref().map(PrincipalId::as_str), expected);
    }

    #[test]
    fn a_key_opens_and_nothing_else_does() {
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // secret
        let keys = Keys::new(&BTreeMap::from([("ops".to_owned(), hash.to_owned())]), None).unwrap();
        check(&keys, Method::POST, &[("authorization", "Bearer secret")], Some("ops"));
        check(&keys, Method::POST, &[("authorization", "bearer secret")], Some("ops"));
        check(&keys, Method::POST, &[("authorization", "Bearer secreT")], None);
        check(&keys, Method::POST, &[("authorization", "Basic secret")], None);
        check(&keys, Method::GET, &[], None);
        let own = ("sec-fetch-site", "same-origin");
        check(&keys, Method::POST, &[("cookie", "a=b; drawdown-key=secret"), own], Some("ops"));
        check(&keys, Method::POST, &[("cookie", "drawdown-key=secret")], None);
        let foreign = ("sec-fetch-site", "cross-site");
        check(&keys, Method::POST, &[("cookie", "drawdown-key=secret"), foreign], None);
        check(&keys, Method::GET, &[own], None);
    }

    #[test]
    fn visitors_look_at_our_pages_where_the_demo_key_is_in_force() {
        let keys = Keys::new(&BTreeMap::new(), Some("demo")).unwrap();
        check(&keys, Method::GET, &[("authorization", "Bearer demo")], Some("operator"));
        check(&keys, Method::GET, &[], None);
        check(&keys, Method::GET, &[("sec-fetch-site", "none")], Some("operator"));
        let other = [("origin", "http://evil.example"), ("host", "127.0.0.1:8080")];
        check(&keys, Method::POST, &other, None);
        let own = [("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")];
        check(&keys, Method::POST, &own, Some("operator"));
    }

    /// What a ledger said holds until a key is revoked, also if that was heard of while it was asked.
    #[test]
    fn a_holder_is_known_until_a_key_is_revoked() {
        let holders = Holders::default();
        let who: PrincipalId = "ci".parse().unwrap();
        assert_eq!(holders.known("h", 0), None);
        holders.note("h", &who, 0, Instant::now());
        assert_eq!(holders.known("h", 0), Some(who.clone()));
        assert_eq!(holders.known("g", 0), None);
        assert_eq!(holders.known("h", 1), None);
        holders.note("h", &who, 0, Instant::now());
        assert_eq!(holders.known("h", 1), None);
        let long_ago = Instant::now().checked_sub(HOLDER_KNOWN_FOR).unwrap();
        holders.note("h", &who, 1, long_ago);
        assert_eq!(holders.known("h", 1), None);
    }

    #[test]
    fn a_hash_that_is_none_is_named() {
        let wrong = BTreeMap::from([("ops".to_owned(), "secret".to_owned())]);
        assert_eq!(Keys::new(&wrong, None).unwrap_err(), NotAKey::Hash("ops".to_owned()));
    }
}
