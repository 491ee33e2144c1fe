//! Whether the machine has a network, as the recorder's adapter hears it from the kernel: in a network of the test's own,
//! with a pair of interfaces that are each other's cable.

use holdfast::host::network;
use holdfast_tests::loops;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long the kernel may take to tell, on a machine that builds something beside it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Turns the loop until the condition holds. Whether it did.
fn until(condition: impl Fn() -> bool) -> bool {
    let context = glib::MainContext::default();
    let end = Instant::now() + PATIENCE;
    while !condition() && Instant::now() < end {
        // The source of a time-out wakes the loop where nothing else does.
        let timer = glib::timeout_add_local_once(Duration::from_millis(20), || {});
        context.iteration(true);
        if context.find_source_by_id(&timer).is_some() {
            timer.remove();
        }
    }
    condition()
}

fn ip(command: &str) {
    loops::run("ip", command.split(' ')).unwrap();
}

#[test]
fn a_cable_that_is_plugged_in_and_pulled_is_told() {
    if loops::world("a_cable_that_is_plugged_in_and_pulled_is_told").is_none() {
        return;
    }
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&told);
    let watch = network::watch(move |carrier| heard.borrow_mut().push(carrier)).unwrap();
    let is = |expected: &[bool]| until(|| *told.borrow() == *expected);
    assert!(is(&[false]), "nothing but the loopback: {told:?}");

    ip("link add near type veth peer name far");
    ip("link set near up");
    // One end alone has no carrier: whatever is told of it, it is no change.
    ip("link set far up");
    assert!(is(&[false, true]), "plugged in: {told:?}");
    ip("link set far down");
    assert!(is(&[false, true, false]), "the other end went down: {told:?}");
    ip("link set far up");
    assert!(is(&[false, true, false, true]), "and is back: {told:?}");

    // More messages than the socket holds, while the loop does not turn: they are lost, and the last of them is the one that counts.
    for _ in 0..400 {
        ip("link set near alias x");
        ip("link set near alias y");
    }
    ip("link del near");
    assert!(is(&[false, true, false, true, false]), "gone, told after an overrun: {told:?}");
    drop(watch);

    // One that was dropped hears nothing of what another hears.
    ip("link add near type veth peer name far");
    ip("link set near up");
    ip("link set far up");
    let again = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&again);
    let _watch = network::watch(move |carrier| heard.borrow_mut().push(carrier)).unwrap();
    assert!(until(|| *again.borrow() == [true]), "{again:?}");
    assert!(is(&[false, true, false, true, false]), "{told:?}");
}
