//! The export key: writes what is shown to files in the working directory.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::session::Session;
use crate::app::{Scene, View};
use crate::export::{self, Record};
use crate::model::event::Event;
use crate::model::tracker::Report;

/// How many more names are tried if one is taken.
const MOST_NAMES: usize = 16;

/// Writes the flows and events that are shown; returns a line about it. A file that could not be written as a whole is
/// removed again.
pub fn write(scene: &Scene, session: &Session) -> Result<String> {
    let app = scene.app();
    let shown = Report {
        flows: scene.flows().items().cloned().collect(),
        ..scene.shown().clone()
    };
    // The filter is the view's: if it filters flows, it filters no events.
    let events: Vec<Event> = match app.view() {
        View::Events => scene.events().items().cloned().collect(),
        _ => app.shown_log().events().to_vec(),
    };
    let record = Record {
        time: &format!("{:.3}", jiff::Timestamp::now()),
        intervals: 1,
        report: &shown,
        config: session.reload.state(),
        privileges: &session.privileges,
        unit: app.preferences().appearance.unit,
        events: Some(&events),
        alerts: app.alerts(),
        top: None,
        output: None,
    };
    let mut names = Vec::new();
    for format in export::FORMATS.iter().filter(|format| format.name != "txt") {
        let ending = format.name;
        let made = make_file(|time| format!("flowtop-{time}.{ending}").into());
        let (path, file) = made.with_context(|| format!("make flowtop-*.{ending}"))?;
        let name = path.display().to_string();
        let written = write_one(format, &record, file);
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written.with_context(|| format!("write {name}"))?;
        names.push(name);
    }
    let folder = std::env::current_dir()?;
    let (flows, events) = (shown.flows.len(), events.len());
    Ok(format!(
        "wrote {flows} flows and {events} events to {} in {}",
        names.join(" and "),
        folder.display()
    ))
}

fn write_one(format: &export::Format, record: &Record, file: File) -> Result<()> {
    let mut out = BufWriter::new(file);
    format.exporter.write(record, &mut out)?;
    Ok(out.into_inner()?.sync_all()?)
}

/// Creates a file, never over another one, nor through a link that somebody planted. If a name is taken, the next ones
/// have the fraction of the second: nobody can plant all of those.
pub fn make_file(name: impl Fn(&str) -> PathBuf) -> io::Result<(PathBuf, File)> {
    let forms = ["%Y%m%d-%H%M%S"].into_iter();
    let forms = forms.chain(std::iter::repeat_n("%Y%m%d-%H%M%S.%9f", MOST_NAMES));
    let mut refused = io::Error::from(ErrorKind::AlreadyExists);
    for form in forms {
        let path = name(&jiff::Zoned::now().strftime(form).to_string());
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_no_obstacle_and_nothing_is_written_through_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = folder.path().join("other");
        // Somebody has planted links for a minute.
        let now = jiff::Zoned::now();
        for seconds in 0..60 {
            let then = &now + jiff::SignedDuration::from_secs(seconds);
            let name = then.strftime("%Y%m%d-%H%M%S").to_string();
            std::os::unix::fs::symlink(&other, folder.path().join(name)).expect("a link");
        }
        let first = make_file(|time| folder.path().join(time)).expect("a file");
        let second = make_file(|time| folder.path().join(time)).expect("a file");
        assert_ne!(first.0, second.0);
        assert!(first.0.is_file() && second.0.is_file() && !other.exists());
        let missing = make_file(|time| folder.path().join("nothing").join(time));
        assert!(missing.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    }
}
