//! What a scraper wants, by the headers of its request.

use super::Format;

/// How much somebody wants something, in thousandths; 0: not at all.
type Weight = u32;

/// The items of a header, without their parameters, and how much each is wanted.
fn items(header: &str) -> impl Iterator<Item = (&str, Weight)> {
    header.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        (name, weight.map_or(1000, thousandths))
    })
}

fn thousandths(text: &str) -> Weight {
    let weight: f64 = text.trim().parse().unwrap_or(0.0);
    (weight.clamp(0.0, 1.0) * 1000.0) as Weight
}

/// The format for a request with this `Accept`: OpenMetrics only for who names it and wants nothing else more.
pub fn format_for(accept: &str) -> Format {
    let (mut openmetrics, mut text) = (0, 0);
    for (name, weight) in items(accept) {
        let is = |other| name.eq_ignore_ascii_case(other);
        if is("application/openmetrics-text") {
            openmetrics = weight.max(openmetrics);
        } else if is("text/plain") {
            text = weight.max(text);
        }
    }
    match openmetrics > 0 && openmetrics >= text {
        true => Format::OpenMetrics,
        false => Format::Text,
    }
}

/// Whether a request with this `Accept-Encoding` takes gzip.
pub fn accepts_gzip(accept_encoding: &str) -> bool {
    let of = |wanted: &str| {
        let mut items = items(accept_encoding);
        items.find_map(|(name, weight)| name.eq_ignore_ascii_case(wanted).then_some(weight))
    };
    of("gzip").or_else(|| of("*")).unwrap_or(0) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scraper_gets_the_format_that_it_asks_for() {
        // Prometheus 2.42, VictoriaMetrics 1.79, curl, a browser.
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("", Format::Text),
            (
                "application/openmetrics-text;q=0.2, text/plain;q=0.5",
                Format::Text,
            ),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "Application/OpenMetrics-Text ; q=0.6 , text/plain;q=0.6",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;q=x", Format::Text),
        ] {
            assert_eq!(format_for(accept), format, "{accept}");
        }
    }

    #[test]
    fn only_who_takes_gzip_gets_it() {
        for (header, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
            ("br;q=1.0, *;q=0", false),
        ] {
            assert_eq!(accepts_gzip(header), takes, "{header}");
        }
    }
}
