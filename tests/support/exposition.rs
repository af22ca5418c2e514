//! Reads pages of metrics, strictly and without the code that writes them: the grammars of OpenMetrics 1.0 and of the text
//! format 0.0.4, as far as flowtop's pages use them. What a page must not have fails.

use std::collections::BTreeMap;

/// A page: its families by name, and all samples by name and labels, as they were written.
#[derive(Debug, Default, Clone)]
pub struct Page {
    /// Types by the names of families.
    pub types: BTreeMap<String, String>,
    /// Values by sample: `name{label="value"}`.
    pub samples: BTreeMap<String, f64>,
}

/// The labels of a sample.
pub type Labels = BTreeMap<String, String>;

impl Page {
    /// Reads a page, in whichever of both formats it is.
    pub fn read(text: &str) -> Page {
        let is_open = text.ends_with("# EOF\n");
        let mut page = Page::default();
        let mut family = String::new();
        for line in text.lines() {
            if line == "# EOF" {
                break;
            }
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                assert!(!help.is_empty() && !help.contains('\\'), "{line}");
                name.clone_into(&mut family);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert_eq!(name, family, "{line}");
                let kinds = ["counter", "gauge", "summary", "info"];
                assert!(kinds[..3 + usize::from(is_open)].contains(&kind), "{line}");
                let before = page.types.insert(name.into(), kind.into());
                assert_eq!(before, None, "twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').expect(line);
                assert!(is_open && name == family, "{line}");
                assert!(name.ends_with(&format!("_{unit}")), "{line}");
            } else {
                page.read_sample(line, &family, is_open);
            }
        }
        page
    }

    fn read_sample(&mut self, line: &str, family: &str, is_open: bool) {
        let (name, labels, value) = split(line);
        let kind = self.types.get(family).expect(line).as_str();
        let suffix = match kind {
            "counter" if is_open => "_total",
            "info" => "_info",
            _ => "",
        };
        assert_eq!(name, format!("{family}{suffix}"), "{line}");
        assert!(kind != "counter" || name.ends_with("_total"), "{line}");
        assert_eq!(labels.contains_key("quantile"), kind == "summary", "{line}");
        let value: f64 = value.parse().expect(line);
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let sample = line.rsplit_once(' ').expect(line).0;
        let before = self.samples.insert(sample.into(), value);
        assert_eq!(before, None, "twice: {line}");
    }

    /// The value of a sample; fails where there is none.
    pub fn value(&self, sample: &str) -> f64 {
        let found = self.samples.get(sample);
        *found.unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }

    /// The samples of this name, with their labels.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (Labels, f64)> + 'a {
        let all = self.samples.iter().map(|(sample, value)| {
            let line = format!("{sample} 0");
            let (its_name, labels, _) = split(&line);
            (its_name.to_owned(), labels, *value)
        });
        all.filter(move |(its_name, ..)| its_name == name)
            .map(|(_, labels, value)| (labels, value))
    }

    /// The sum of the samples of this name.
    pub fn sum(&self, name: &str) -> u64 {
        self.all(name).map(|(_, value)| value as u64).sum()
    }
}

/// Name, labels and value of a sample's line.
fn split(line: &str) -> (&str, Labels, &str) {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = line.find(|c| !is_of_name(c)).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(
        !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()),
        "{line}"
    );
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(!label.is_empty() && label.chars().all(is_of_name), "{line}");
            let (value, after) = unescape(after, line);
            assert_eq!(labels.insert(label.into(), value), None, "{line}");
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after.strip_prefix('}').expect(line);
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').expect(line);
    (name, labels, value)
}

/// The value of a label up to its closing quote, and what comes behind that.
fn unescape<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match characters.next().map(|(_, c)| c) {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                other => panic!("{other:?} escaped: {line}"),
            }),
            c => value.push(c),
        }
    }
    panic!("no closing quote: {line}")
}
