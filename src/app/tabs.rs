//! The tabs of the views: their places and texts.

use super::View;

/// The program's name, in front of the tabs.
pub const NAME: &str = " flowtop ";

/// From this width on every tab shows its title, and there is room for `PAUSED` behind them; on narrower screens only the
/// open one does.
const WIDE: u16 = 70;

/// The tabs of a screen of this width: view, first cell and text.
pub fn tabs(width: u16, open: View) -> impl Iterator<Item = (View, u16, String)> {
    let mut x = NAME.len() as u16;
    View::ALL.into_iter().enumerate().map(move |(index, view)| {
        let text = match width >= WIDE || view == open {
            true => format!(" {} {} ", index + 1, view.title()),
            false => format!(" {} ", index + 1),
        };
        let start = x;
        x += text.len() as u16;
        (view, start, text)
    })
}

/// The view whose tab is at this cell.
pub(super) fn tab_at(x: u16, width: u16, open: View) -> Option<View> {
    let is_hit =
        |(_, start, text): &(View, u16, String)| (*start..*start + text.len() as u16).contains(&x);
    tabs(width, open).find(is_hit).map(|(view, ..)| view)
}
