//! Numbers to draw from.

/// Draws from numbers, and zero when there are none left.
pub(crate) struct Dice<'a> {
    numbers: std::slice::Iter<'a, u32>,
}

impl<'a> Dice<'a> {
    pub(crate) fn new(numbers: &'a [u32]) -> Self {
        Self {
            numbers: numbers.iter(),
        }
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.numbers.next().map_or(0, |number| *number as usize % end.max(1))
    }

    /// One of these; the first is the harmless one.
    pub(crate) fn one<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.below(of.len())]
    }

    /// True about once in `times`.
    pub(crate) fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }
}
