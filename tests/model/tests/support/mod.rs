//! What several test files need.

use instrumented_sync::model;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a model that has to fail, and checks that its panic speaks of `what`.
#[allow(dead_code, reason = "not all test files have models that fail")]
pub fn finds(what: &str, f: impl Fn() + Send + Sync + 'static) {
    let panic = catch_unwind(AssertUnwindSafe(|| model(f))).expect_err("the model did not find the bug");
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    assert!(text.contains(what), "found something else: {text}");
}
