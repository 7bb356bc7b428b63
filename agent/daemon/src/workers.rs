//! Threads for file-system calls, so that none of unbounded length is made on the loop.
//!
//! Promise: jobs of one worker run one at a time, in the order they were given; the answer comes as a
//! future. A future that is dropped asks its job to end early, where the job looks.
//! Trusts: the jobs. Distrusts: the disks they touch, which may hang: a caller that must go on sets a deadline.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// One thread and its queue. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Clone)]
pub struct Worker {
    jobs: mpsc::Sender<Job>,
}

/// The thread is gone: it could only have ended by a panic in one of its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerGone;

/// Tells a long job that nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the job to end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Worker {
    /// Starts a thread called `name` (at most 15 bytes are kept by the kernel).
    ///
    /// # Errors
    /// The system has no room for another thread.
    pub fn start(name: &str) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || queue.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }

    /// Runs `job` on the thread and waits for its answer.
    ///
    /// Dropping the future before the job ended cancels it through the [`Cancel`] it was given; a job
    /// that does not look at it runs to its end, unheard.
    ///
    /// # Errors
    /// [`WorkerGone`] when the thread has ended.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Cancel) -> T + Send + 'static,
    ) -> Result<T, WorkerGone> {
        let (answer, answered) = oneshot::channel();
        let cancel = Cancel::default();
        let dropped = CancelOnDrop(cancel.clone());
        let job = Box::new(move || {
            let _unheard = answer.send(job(&cancel));
        });
        self.jobs.send(job).map_err(|_| WorkerGone)?;
        let result = answered.await.map_err(|_| WorkerGone);
        drop(dropped);
        result
    }
}

#[cfg(test)]
mod tests;
