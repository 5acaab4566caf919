//! A listener's queue: what does not fit is dropped, and its place remembers how much.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// What a queue holds at a place: something, or how many things are missing there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<T> {
    Item(T),
    Missed(u64),
}

/// A bounded queue for one reader. It holds `bound` items, and after the last of them one gap.
pub(super) struct Queue<T> {
    bound: usize,
    state: Mutex<State<T>>,
    more: Notify,
}

struct State<T> {
    entries: VecDeque<Entry<T>>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(bound: usize) -> Self {
        let state = Mutex::new(State {
            entries: VecDeque::new(),
            closed: false,
        });
        Self {
            bound,
            state,
            more: Notify::new(),
        }
    }

    /// Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something at the end; `false` when it did not fit and is dropped. Never waits.
    pub(super) fn push(&self, item: T) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let fits = state.entries.len() < self.bound;
        if fits {
            state.entries.push_back(Entry::Item(item));
        } else if let Some(Entry::Missed(count)) = state.entries.back_mut() {
            *count += 1;
        } else {
            state.entries.push_back(Entry::Missed(1));
        }
        drop(state);
        self.more.notify_one();
        fits
    }

    pub(super) fn pop(&self) -> Option<Entry<T>> {
        self.lock().entries.pop_front()
    }

    /// The next entry, once there is one; nothing when the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Entry<T>> {
        loop {
            let more = self.more.notified();
            {
                let mut state = self.lock();
                match state.entries.pop_front() {
                    Some(entry) => return Some(entry),
                    None if state.closed => return None,
                    None => {}
                }
            }
            more.await;
        }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_one();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_items_past_a_slow_reader_leave_a_bounded_queue_and_an_exact_count() {
        let queue = Queue::new(4);
        let mut longest = 0;
        for item in 0..1_000_000_u64 {
            queue.push(item);
            longest = longest.max(queue.len());
        }
        assert_eq!(longest, 5);
        assert!(queue.lock().entries.capacity() < 32);
        let entries: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(entries[..4], [0, 1, 2, 3].map(Entry::Item));
        assert_eq!(entries[4], Entry::Missed(999_996));
    }

    #[test]
    fn a_gap_stands_where_items_are_missing() {
        let queue = Queue::new(2);
        assert_eq!((0..5).filter(|item| queue.push(*item)).count(), 2);
        assert_eq!(queue.pop(), Some(Entry::Item(0)));
        assert!(!queue.push(5), "an item and a gap are as much as it holds");
        assert_eq!(queue.pop(), Some(Entry::Item(1)));
        assert!(queue.push(6));
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [Entry::Missed(4), Entry::Item(6)]);
    }

    #[tokio::test]
    async fn a_closed_queue_is_read_to_its_end() {
        let queue = Queue::new(2);
        queue.push(1);
        queue.close();
        assert!(!queue.push(2));
        assert_eq!(queue.next().await, Some(Entry::Item(1)));
        assert_eq!(queue.next().await, None);
    }
}
