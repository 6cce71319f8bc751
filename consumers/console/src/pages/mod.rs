//! The pages.
use crate::api::Shared;
pub(crate) fn router() -> axum::Router<Shared> {
    axum::Router::new()
}
