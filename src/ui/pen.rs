//! Writing into the buffer: text at a place, and lines of segments, the least important of which are
//! left out if there is no room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use crate::model::harmless::harmless;

/// A buffer and the styles to write with.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    /// The styles.
    pub theme: &'a Theme,
    /// Whether only ASCII may be drawn: charts use other marks then.
    pub ascii: bool,
}

/// A piece of a line that is drawn as a whole or not at all.
#[derive(Debug, Clone)]
pub struct Segment {
    text: String,
    style: Style,
    priority: u8,
}

impl Segment {
    /// A piece of text; the one with the highest priority number is left out first.
    pub fn new(text: impl Into<String>, style: Style, priority: u8) -> Segment {
        Segment {
            text: text.into(),
            style,
            priority,
        }
    }

    /// Its width in cells.
    pub fn width(&self) -> usize {
        self.text.width()
    }

    /// Whether it is left out before those of this priority number are.
    pub fn yields_to(&self, priority: u8) -> bool {
        self.priority > priority
    }
}

impl<'a> Pen<'a> {
    /// A pen for this buffer.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme, ascii: bool) -> Pen<'a> {
        Pen {
            buffer,
            theme,
            ascii,
        }
    }

    /// Draws a widget.
    pub fn widget(&mut self, widget: impl Widget, area: Rect) {
        widget.render(area.intersection(self.buffer.area), self.buffer);
    }

    /// Draws on a sheet of this height, whose first line is 0, and shows the part of it that begins `scroll` lines below.
    pub fn scrolled(&mut self, area: Rect, height: u16, scroll: u16, draw: impl FnOnce(&mut Pen)) {
        let sheet = Rect::new(area.x, 0, area.width, height);
        let mut sheet = Buffer::empty(sheet);
        sheet.set_style(sheet.area, self.theme.base);
        draw(&mut Pen::new(&mut sheet, self.theme, self.ascii));
        for y in 0..area.height.min(height - scroll) {
            for x in area.left()..area.right() {
                self.buffer[(x, area.y + y)] = sheet[(x, scroll + y)].clone();
            }
        }
    }

    /// Writes text, at most `width` cells of it; returns the first cell behind it.
    pub fn text(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        if !self.buffer.area.contains((x, y).into()) {
            return x;
        }
        let text = harmless(text);
        let (end, _) = self
            .buffer
            .set_stringn(x, y, text, usize::from(width), style);
        end
    }

    /// Writes text that ends at the right edge of `width` cells.
    pub fn text_right(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) {
        let used = u16::try_from(text.width()).unwrap_or(width).min(width);
        self.text(x + width - used, y, used, text, style);
    }

    /// Clears the cells of a line.
    pub fn clear(&mut self, x: u16, y: u16, width: u16) {
        self.widget(Clear, Rect::new(x, y, width, 1));
        self.style(x, y, width, self.theme.base);
    }

    /// Styles the cells of a line.
    pub fn style(&mut self, x: u16, y: u16, width: u16, style: Style) {
        let area = Rect::new(x, y, width, 1).intersection(self.buffer.area);
        self.buffer.set_style(area, style);
    }

    /// Writes the segments that fit into `width` cells; returns the first cell behind them.
    pub fn line(&mut self, x: u16, y: u16, width: u16, segments: Vec<Segment>) -> u16 {
        let mut end = x;
        for segment in fitting(segments, usize::from(width)) {
            end = self.text(end, y, x + width - end, &segment.text, segment.style);
        }
        end
    }

    /// Writes the segments that fit, ending at the right edge of `width` cells.
    pub fn line_right(&mut self, x: u16, y: u16, width: u16, segments: Vec<Segment>) {
        let segments = fitting(segments, usize::from(width));
        let used: usize = segments.iter().map(Segment::width).sum();
        let start = x + width - used as u16;
        self.line(start, y, used as u16, segments);
    }
}

fn fitting(mut segments: Vec<Segment>, width: usize) -> Vec<Segment> {
    let mut used: usize = segments.iter().map(Segment::width).sum();
    while used > width {
        let last = segments
            .iter()
            .enumerate()
            .max_by_key(|(i, s)| (s.priority, *i));
        let Some((index, _)) = last else { break };
        used -= segments.remove(index).width();
    }
    segments
}
