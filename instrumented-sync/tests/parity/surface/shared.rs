//! What is std's own with either root: for `Arc` and `Weak` the names are enough.

use super::{root, sync};
use std::cell::Cell;

surface! {
    {name sync::Arc}
    {name sync::Weak}
    {macro thread_local}
}
