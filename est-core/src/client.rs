//! The client half.
