//! P1–P4: one fault of each kind in the midst of an update; `make torture` draws many more.

use harness::torture::{quick, run_quick};

#[test]
fn p1_app_comes_back_whole_after_one_fault_of_each_kind() {
    for row in run_quick(&quick()) {
        println!("{row}");
        assert!(row.is_met, "the fault struck");
    }
}
