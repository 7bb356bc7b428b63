//! Tests of one decision at a time.
