//! Seats: how many slots may be held by connections that stand and say nothing, so that thousands of them do not keep what
//! was never tried from its turn.
//!
//! Whoever has been silent for a while asks for a seat. Where none is free and fresh work waits, it has to leave; its endpoint
//! is put back, once, and called when there is a seat for it from its beginning. Pure: no clock, no lock.

use std::collections::VecDeque;

use super::Task;

/// So many are put back at most; from then on whoever is silent stays, as if there were no seats.
const PUT_BACK: usize = 65_536;

/// Who has a seat, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Seats {
    /// How many are taken, also by those who were called and have not begun.
    taken: usize,
    /// How many were called and have not begun.
    called: usize,
    put_back: VecDeque<Task>,
}

/// For whom seats are counted out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// How many slots there are.
    pub(super) slots: usize,
    /// Whether all of them are taken.
    pub(super) full: bool,
    /// Whether something waits that was never tried.
    pub(super) fresh: bool,
}

impl Room {
    /// A quarter is kept for fresh work, as long as there is any: it is decided within seconds, so that a quarter gets
    /// through it some three times as fast as all of them would get through thirty seconds of silence each.
    fn seats(self) -> usize {
        if self.fresh { self.slots - self.slots / 4 } else { self.slots }
    }
}

impl Seats {
    /// Takes a seat for a connection that stands; whether there is one. Where a slot is free nobody has to leave: what is
    /// fresh waits for its pace, then.
    pub(super) fn ask(&mut self, room: Room) -> bool {
        let harms_none = !room.fresh || !room.full;
        let may_stay = harms_none || self.taken < room.seats() || self.put_back.len() >= PUT_BACK;
        self.taken += usize::from(may_stay);
        may_stay
    }

    /// An endpoint for which there was none.
    pub(super) fn put_back(&mut self, task: Task) {
        self.put_back.push_back(task);
    }

    /// The first of them, if there is a seat now, which it takes.
    pub(super) fn call(&mut self, room: Room) -> Option<Task> {
        if self.taken >= room.seats() {
            return None;
        }
        let task = self.put_back.pop_front()?;
        self.taken += 1;
        self.called += 1;
        Some(Task { has_seat: true, ..task })
    }

    /// One that was called has begun.
    pub(super) fn begin(&mut self) {
        self.called -= 1;
    }

    /// A seat is free again.
    pub(super) fn free(&mut self) {
        self.taken -= 1;
    }

    /// How many were called and have not begun.
    pub(super) fn called(&self) -> usize {
        self.called
    }

    /// Whether nobody was put back who has not been called since.
    pub(super) fn is_empty(&self) -> bool {
        self.put_back.is_empty()
    }

    /// Takes out all who were put back.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Task> {
        self.put_back.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observation::Service;
    use crate::schedule::Ticket;
    use crate::target::Place;

    fn task(position: u64) -> Task {
        let ip = [192, 0, 2, 1].into();
        let place = Place { name: None, via: None, ip, port: 21, service: Service::Ftp };
        Task { put_back: true, ..Task::fresh(Ticket { position, part: 0 }, place) }
    }

    #[test]
    fn a_quarter_is_kept_where_fresh_work_waits() {
        for (slots, expected) in [(1, 1), (3, 3), (4, 3), (512, 384), (4096, 3072)] {
            let mut seats = Seats::default();
            let room = Room { slots, full: true, fresh: true };
            assert_eq!((0..slots).filter(|_| seats.ask(room)).count(), expected, "of {slots}");
            assert!(seats.ask(Room { fresh: false, ..room }), "without fresh work all may stay");
            assert!(seats.ask(Room { full: false, ..room }), "or with a free slot");
        }
    }

    #[test]
    fn who_was_put_back_is_called_in_order_when_there_is_a_seat() {
        let mut seats = Seats::default();
        let room = Room { slots: 4, full: true, fresh: true };
        assert!((0..3).all(|_| seats.ask(room)));
        (7..9).for_each(|position| seats.put_back(task(position)));
        assert!(!seats.ask(room) && seats.call(room).is_none());
        seats.free();
        let called = seats.call(room).unwrap();
        assert_eq!((called.ticket.position, called.has_seat, seats.called()), (7, true, 1));
        assert!(seats.call(room).is_none(), "its seat is taken before it begins");
        assert!(seats.call(Room { fresh: false, ..room }).is_some());
        assert!(seats.is_empty());
    }

    #[test]
    fn there_is_an_end_to_who_is_put_back() {
        let mut seats = Seats::default();
        let room = Room { slots: 4, full: true, fresh: true };
        while seats.ask(room) {}
        (0..65_536).for_each(|position| seats.put_back(task(position)));
        assert!(seats.ask(room), "from then on who is silent stays");
        assert!(seats.call(room).is_none());
        assert_eq!(seats.drain().count(), 65_536);
    }

    proptest! {
        /// Whatever happens: no more seats than slots are taken by asking, and everyone is called once.
        #[test]
        fn everyone_is_called_once(slots in 1usize..40, steps in prop::collection::vec(0u8..4, 0..300)) {
            let (mut seats, mut next, mut sitting, mut called) = (Seats::default(), 0, 0, Vec::new());
            for step in steps {
                let room = Room { slots, full: true, fresh: step < 3 };
                match step {
                    0 if sitting < slots => if seats.ask(room) {
                        sitting += 1;
                    } else {
                        seats.put_back(task(next));
                        next += 1;
                    },
                    1 if sitting > 0 => {
                        seats.free();
                        sitting -= 1;
                    }
                    _ => if let Some(task) = seats.call(room) {
                        seats.begin();
                        called.push(task.ticket.position);
                        sitting += 1;
                    },
                }
                prop_assert!(sitting <= slots);
            }
            called.extend(seats.drain().map(|task| task.ticket.position));
            prop_assert_eq!(called, (0..next).collect::<Vec<_>>());
        }
    }
}
