//! How finely results are visible in time.

use super::{Job, default_tick};
use crate::clock::Tick;
use crate::error::Error;
use crate::query::Reads;
use crate::source::Input;
use crate::source::stamps::Ticks;

impl Job {
    /// Whether some source goes on as long as the run does.
    pub fn goes_on(&self) -> bool {
        let goes_on = |input: &Input| match input {
            Input::Text(reader) => reader.tail().is_some(),
            Input::Recorded(_) => false,
        };
        self.sources.iter().any(|(_, input)| goes_on(input))
    }

    /// The ticks of this run, which may go on from another that had some.
    pub(super) fn ticks(&self, reads: &Reads, before: Option<Ticks>) -> Result<Ticks, Error> {
        let live = self.goes_on();
        let said = self.recorded()?.or(self.running.tick).or(before.map(|ticks| ticks.tick));
        let tick = said.unwrap_or_else(|| match live {
            true => Tick::SECOND,
            false => default_tick(self.looked_at || self.is_live(), &self.sinks, reads),
        });
        // Nobody looks on while a history is read, and few ticks take less time than many.
        let coarse = Tick::MINUTE.is_multiple_of(tick).then_some(Tick::MINUTE);
        let history = match before.filter(|before| before.tick == tick) {
            Some(before) => before.history,
            None => coarse.filter(|_| live).unwrap_or(tick),
        };
        Ok(Ticks { tick, history })
    }
}
