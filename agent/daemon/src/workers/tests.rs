//! Threads that work in turn, and jobs nobody waits for any more.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::*;

#[tokio::test(flavor = "current_thread")]
async fn jobs_run_one_after_the_other_in_their_order_and_answer() {
    let worker = Worker::start("test").unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let job = |n: u32| {
        let order = order.clone();
        worker.run(move |_| {
            order.lock().unwrap().push(n);
            n * 2
        })
    };
    let (a, b, c) = tokio::join!(job(1), job(2), job(3));
    assert_eq!((a, b, c), (Ok(2), Ok(4), Ok(6)));
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_future_that_is_dropped_cancels_its_job_and_not_the_next() {
    let worker = Worker::start("test").unwrap();
    let (began, begun) = oneshot::channel();
    let mut long = Box::pin(worker.run(move |cancel| {
        let _heard = began.send(());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !cancel.is_cancelled() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(cancel.is_cancelled(), "nobody cancelled it");
    }));
    tokio::select! {
        _ = &mut long => panic!("it ended by itself"),
        heard = begun => heard.unwrap(),
    }
    drop(long);
    let next = worker.run(|cancel| cancel.is_cancelled()).await;
    assert_eq!(next, Ok(false), "the thread is free again, or the job panicked");
}

#[tokio::test(flavor = "current_thread")]
async fn a_thread_that_has_ended_is_told_and_not_waited_for() {
    let worker = Worker::start("test").unwrap();
    let answer = worker.run(|_| panic!("a fault in a job")).await;
    assert_eq!(answer, Err::<(), _>(WorkerGone));
    let mut later = worker.run(|_| ()).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while later.is_ok() && Instant::now() < deadline {
        later = worker.run(|_| ()).await;
    }
    assert_eq!(later, Err(WorkerGone));
}
