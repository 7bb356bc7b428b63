//! `agentctl check`.

use std::path::Path;

use crate::Exit;

pub(crate) fn run(_config: &Path) -> Exit {
    Exit::Well
}
