//! Who asks: keys that come as `Authorization: Bearer`, or from our own pages as a cookie.

use std::collections::BTreeMap;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use drawdown_domain::ids::PrincipalId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The cookie that our own pages keep a key in.
pub(crate) const KEY_COOKIE: &str = "drawdown-key";

/// The keys that open the console. Only their hashes are kept.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    known: Vec<(PrincipalId, [u8; 32])>,
    /// Who opens our pages without a key: only where the demo key is in force.
    visitor: Option<PrincipalId>,
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

    /// Who holds the key. Every key is compared, and in a time that says nothing about where it differs.
    pub(crate) fn holder(&self, key: &str) -> Option<&PrincipalId> {
        let asked = hash(key);
        let mut holder = None;
        for (principal, known) in &self.known {
            if bool::from(known.ct_eq(&asked)) {
                holder = Some(principal);
            }
        }
        holder
    }

    /// Who asks; none if nobody we know. Without a key in the header only a browser on our own pages is
    /// let in, so that no foreign page can ask in its visitor's name.
    pub(crate) fn who(&self, method: &Method, headers: &HeaderMap) -> Option<PrincipalId> {
        if let Some(authorization) = headers.get(AUTHORIZATION) {
            let (scheme, key) = authorization.to_str().ok()?.split_once(' ')?;
            return scheme
                .eq_ignore_ascii_case("bearer")
                .then(|| self.holder(key.trim()).cloned())
                .flatten();
        }
        if !from_own_page(method, headers) {
            return None;
        }
        let key = cookie(headers, KEY_COOKIE);
        key.and_then(|key| self.holder(key)).or(self.visitor.as_ref()).cloned()
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
        let found = keys.who(&method, &headers.collect());
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

    #[test]
    fn a_hash_that_is_none_is_named() {
        let wrong = BTreeMap::from([("ops".to_owned(), "secret".to_owned())]);
        assert_eq!(Keys::new(&wrong, None).unwrap_err(), NotAKey::Hash("ops".to_owned()));
    }
}
