//! The filters that were kept, to be had again while another one is typed.

/// The latest filters, oldest first, and the one that is looked at.
#[derive(Debug, Default)]
pub struct History {
    kept: Vec<String>,
    /// The place of the one that is looked at; behind the last: what is being typed.
    place: usize,
    /// What was being typed when the first step back was made.
    draft: String,
}

impl History {
    /// The filters that are kept.
    const MOST: usize = 50;

    /// Keeps a filter as the latest one, and only once.
    pub(super) fn keep(&mut self, text: String) {
        if !text.is_empty() {
            self.kept.retain(|kept| *kept != text);
            let excess = (self.kept.len() + 1).saturating_sub(Self::MOST);
            self.kept.drain(..excess);
            self.kept.push(text);
        }
        self.rewind();
    }

    /// The next step back leads to the latest filter.
    pub(super) fn rewind(&mut self) {
        self.place = self.kept.len();
    }

    /// The filter before the one that is looked at; `present` is what the line holds now.
    pub(super) fn older(&mut self, present: String) -> Option<&str> {
        if self.place == self.kept.len() {
            self.draft = present.clone();
        }
        // The one that stands there already is no news.
        let is_news = |kept: &String| kept != present.trim_end();
        let before = self.kept[..self.place].iter().rposition(is_news)?;
        self.place = before;
        self.kept.get(before).map(String::as_str)
    }

    /// The filter behind it, or what was being typed.
    pub(super) fn newer(&mut self) -> Option<&str> {
        if self.place == self.kept.len() {
            return None;
        }
        self.place += 1;
        Some(self.kept.get(self.place).unwrap_or(&self.draft))
    }
}
